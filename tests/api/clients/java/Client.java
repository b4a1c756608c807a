import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.awscore.AwsResponse;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.protocol.MarshallingType;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.core.traits.MapTrait;
import software.amazon.awssdk.core.util.SdkAutoConstructList;
import software.amazon.awssdk.core.util.SdkAutoConstructMap;
import software.amazon.awssdk.services.keyspaces.KeyspacesClient;
import software.amazon.awssdk.services.resourcegroupstaggingapi.ResourceGroupsTaggingApiClient;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.utils.builder.Buildable;

/**
 * AWS's SDK for Java in the table of tests/api/cells.py: a command per line in, what the SDK made of the answer out. Endpoint, keys and region
 * come from the environment, as for any program.
 */
public final class Client {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Object> CLIENTS = new LinkedHashMap<>();
    private static final Map<String, Class<?>> INTERFACES =
        Map.of("keyspaces", KeyspacesClient.class, "resourcegroupstaggingapi", ResourceGroupsTaggingApiClient.class, "sts", StsClient.class);

    private Client() {
    }

    public static void main(String[] args) throws Exception {
        CLIENTS.put("keyspaces", KeyspacesClient.create());
        CLIENTS.put("resourcegroupstaggingapi", ResourceGroupsTaggingApiClient.create());
        CLIENTS.put("sts", StsClient.create());
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine())
            out.println(JSON.writeValueAsString(run(JSON.readTree(line))));
    }

    private static ObjectNode run(JsonNode command) {
        ObjectNode said = JSON.createObjectNode();
        try {
            Object client = CLIENTS.get(command.get("service").asText());
            Class<?> shown = INTERFACES.get(command.get("service").asText());
            String operation = command.get("operation").asText();
            Class<?> request = Class.forName(shown.getPackageName() + ".model." + operation + "Request");
            String name = operation.substring(0, 1).toLowerCase() + operation.substring(1);
            ObjectNode input = (ObjectNode) command.get("input");
            JsonNode page = command.get("page");
            if (page == null) {
                AwsResponse answer = (AwsResponse) shown.getMethod(name, request).invoke(client, make(request, input));
                said.set("answer", plain(answer));
                said.put("id", answer.responseMetadata().requestId());
                return said;
            }
            if (!page.get("member").asText().isEmpty())
                input.set(page.get("member").asText(), page.get("size"));
            ArrayNode pages = said.putArray("pages");
            Object found = shown.getMethod(name + "Paginator", request).invoke(client, make(request, input));
            for (Object one : (Iterable<?>) found)
                pages.add(plain(one));
        } catch (InvocationTargetException e) {
            tell(said, e.getCause());
        } catch (Exception e) {
            tell(said, e);
        }
        return said;
    }

    /** The class that an application would catch, if the SDK made the error of that class. */
    private static void tell(ObjectNode said, Throwable error) {
        said.removeAll();
        if (!(error instanceof AwsServiceException)) {
            said.put("fault", "Client").put("message", error.toString());
            return;
        }
        AwsServiceException known = (AwsServiceException) error;
        String name = known.getClass().getSimpleName(), code = known.awsErrorDetails().errorCode();
        said.put("fault", name.equals(code) ? name : name + ": " + code).put("message", known.awsErrorDetails().errorMessage());
        said.put("status", known.statusCode()).put("id", known.requestId());
    }

    // ---- what the SDK tells of its own classes: names and kinds of members, as AWS's model has them ----

    private static Object make(Class<?> kind, JsonNode input) throws ReflectiveOperationException {
        Method builder = kind.getMethod("builder");
        return fill((SdkPojo) builder.invoke(null), input);
    }

    private static Object fill(SdkPojo builder, JsonNode input) {
        Map<String, SdkField<?>> known = new LinkedHashMap<>();
        builder.sdkFields().forEach(field -> known.put(field.memberName(), field));
        input.fields().forEachRemaining(member -> {
            if (!known.containsKey(member.getKey()))
                throw new IllegalArgumentException("no member " + member.getKey());
            known.get(member.getKey()).set(builder, value(known.get(member.getKey()), member.getValue()));
        });
        return ((Buildable) builder).build();
    }

    private static Object value(SdkField<?> field, JsonNode from) {
        MarshallingType<?> kind = field.marshallingType();
        if (kind == MarshallingType.SDK_POJO)
            return fill(field.constructor().get(), from);
        if (kind == MarshallingType.LIST) {
            List<Object> out = new ArrayList<>();
            from.forEach(one -> out.add(value(field.getTrait(ListTrait.class).memberFieldInfo(), one)));
            return out;
        }
        if (kind == MarshallingType.MAP) {
            Map<String, Object> out = new LinkedHashMap<>();
            from.fields().forEachRemaining(one -> out.put(one.getKey(), value(field.getTrait(MapTrait.class).valueFieldInfo(), one.getValue())));
            return out;
        }
        if (kind == MarshallingType.INTEGER)
            return from.intValue();
        if (kind == MarshallingType.LONG)
            return from.longValue();
        if (kind == MarshallingType.BOOLEAN)
            return from.booleanValue();
        return from.textValue();
    }

    /** Times are seconds since 1970; a list or map that the SDK made up for an absent one is absent. */
    private static JsonNode plain(Object value) {
        if (value instanceof SdkPojo) {
            ObjectNode out = JSON.createObjectNode();
            for (SdkField<?> field : ((SdkPojo) value).sdkFields()) {
                Object member = field.getValueOrDefault(value);
                if (member != null && !(member instanceof SdkAutoConstructList) && !(member instanceof SdkAutoConstructMap))
                    out.set(field.memberName(), plain(member));
            }
            return out;
        }
        if (value instanceof List) {
            ArrayNode out = JSON.createArrayNode();
            ((List<?>) value).forEach(one -> out.add(plain(one)));
            return out;
        }
        if (value instanceof Map) {
            ObjectNode out = JSON.createObjectNode();
            ((Map<?, ?>) value).forEach((key, one) -> out.set((String) key, plain(one)));
            return out;
        }
        if (value instanceof Instant)
            return JSON.valueToTree(((Instant) value).toEpochMilli() / 1000.0);
        return JSON.valueToTree(value);
    }
}
