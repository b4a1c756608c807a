import com.datastax.oss.driver.api.core.data.CqlDuration;
import com.datastax.oss.driver.api.core.data.CqlVector;
import com.datastax.oss.driver.api.core.data.GettableByIndex;
import com.datastax.oss.driver.api.core.data.TupleValue;
import com.datastax.oss.driver.api.core.data.UdtValue;
import com.datastax.oss.driver.api.core.type.DataType;
import com.datastax.oss.driver.api.core.type.DataTypes;
import com.datastax.oss.driver.api.core.type.ListType;
import com.datastax.oss.driver.api.core.type.MapType;
import com.datastax.oss.driver.api.core.type.SetType;
import com.datastax.oss.driver.api.core.type.TupleType;
import com.datastax.oss.driver.api.core.type.UserDefinedType;
import com.datastax.oss.driver.api.core.type.VectorType;
import com.datastax.oss.driver.api.core.type.codec.TypeCodec;
import com.datastax.oss.driver.api.core.type.codec.registry.CodecRegistry;
import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Values as types.json writes them, and as an application has them. */
final class Values {
    private Values() {}

    static Object toNative(DataType type, JsonNode value) throws UnknownHostException {
        if (value == null || value.isNull()) {
            return null;
        }
        if (type instanceof ListType list) {
            return elements(list.getElementType(), value);
        }
        if (type instanceof SetType set) {
            return new LinkedHashSet<>(elements(set.getElementType(), value));
        }
        if (type instanceof VectorType vector) {
            return CqlVector.newInstance(elements(vector.getElementType(), value));
        }
        if (type instanceof MapType map) {
            Map<Object, Object> out = new LinkedHashMap<>();
            for (JsonNode pair : value) {
                out.put(toNative(map.getKeyType(), pair.get(0)), toNative(map.getValueType(), pair.get(1)));
            }
            return out;
        }
        if (type instanceof TupleType tuple) {
            TupleValue out = tuple.newValue();
            for (int i = 0; i < value.size(); i++) {
                DataType of = tuple.getComponentTypes().get(i);
                out = out.set(i, toNative(of, value.get(i)), codec(of));
            }
            return out;
        }
        if (type instanceof UserDefinedType udt) {
            UdtValue out = udt.newValue();
            for (int i = 0; i < value.size(); i++) {
                DataType of = udt.getFieldTypes().get(i);
                out = out.set(i, toNative(of, value.get(i)), codec(of));
            }
            return out;
        }
        return scalar(type, value);
    }

    private static TypeCodec<Object> codec(DataType type) {
        return CodecRegistry.DEFAULT.codecFor(type);
    }

    private static List<Object> elements(DataType of, JsonNode value) throws UnknownHostException {
        List<Object> out = new ArrayList<>();
        for (JsonNode element : value) {
            out.add(toNative(of, element));
        }
        return out;
    }

    private static Object scalar(DataType type, JsonNode value) throws UnknownHostException {
        String text = value.asText();
        if (type.equals(DataTypes.BOOLEAN)) {
            return value.asBoolean();
        } else if (type.equals(DataTypes.ASCII) || type.equals(DataTypes.TEXT)) {
            return text;
        } else if (type.equals(DataTypes.TINYINT)) {
            return Byte.valueOf(text);
        } else if (type.equals(DataTypes.SMALLINT)) {
            return Short.valueOf(text);
        } else if (type.equals(DataTypes.INT)) {
            return Integer.valueOf(text);
        } else if (type.equals(DataTypes.BIGINT)) {
            return Long.valueOf(text);
        } else if (type.equals(DataTypes.VARINT)) {
            return new BigInteger(text);
        } else if (type.equals(DataTypes.DECIMAL)) {
            String[] halves = text.split("/");
            return new BigDecimal(new BigInteger(halves[0]), Integer.parseInt(halves[1]));
        } else if (type.equals(DataTypes.FLOAT)) {
            return Float.intBitsToFloat(Integer.parseUnsignedInt(text, 16));
        } else if (type.equals(DataTypes.DOUBLE)) {
            return Double.longBitsToDouble(Long.parseUnsignedLong(text, 16));
        } else if (type.equals(DataTypes.BLOB)) {
            return ByteBuffer.wrap(HexFormat.of().parseHex(text));
        } else if (type.equals(DataTypes.DATE)) {
            return LocalDate.ofEpochDay(Long.parseLong(text));
        } else if (type.equals(DataTypes.TIME)) {
            return LocalTime.ofNanoOfDay(Long.parseLong(text));
        } else if (type.equals(DataTypes.TIMESTAMP)) {
            return Instant.ofEpochMilli(Long.parseLong(text));
        } else if (type.equals(DataTypes.UUID) || type.equals(DataTypes.TIMEUUID)) {
            return UUID.fromString(text);
        } else if (type.equals(DataTypes.INET)) {
            return InetAddress.getByAddress(HexFormat.of().parseHex(text));
        } else if (type.equals(DataTypes.DURATION)) {
            String[] parts = text.split(",");
            return CqlDuration.newInstance(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), Long.parseLong(parts[2]));
        }
        throw new IllegalArgumentException(type.toString());
    }

    static Object toPlain(DataType type, Object value) {
        if (value == null || value instanceof String || value instanceof Boolean) {
            return value;
        } else if (value instanceof Float f) {
            return String.format("%08x", Float.floatToRawIntBits(f));
        } else if (value instanceof Double d) {
            return String.format("%016x", Double.doubleToRawLongBits(d));
        } else if (value instanceof BigDecimal d) {
            return d.unscaledValue() + "/" + d.scale();
        } else if (value instanceof ByteBuffer bytes) {
            byte[] out = new byte[bytes.remaining()];
            bytes.duplicate().get(out);
            return HexFormat.of().formatHex(out);
        } else if (value instanceof LocalDate date) {
            return String.valueOf(date.toEpochDay());
        } else if (value instanceof LocalTime time) {
            return String.valueOf(time.toNanoOfDay());
        } else if (value instanceof Instant instant) {
            return String.valueOf(instant.toEpochMilli());
        } else if (value instanceof InetAddress address) {
            return HexFormat.of().formatHex(address.getAddress());
        } else if (value instanceof CqlDuration d) {
            return d.getMonths() + "," + d.getDays() + "," + d.getNanoseconds();
        } else if (type instanceof ListType list) {
            return plain(list.getElementType(), (Iterable<?>) value);
        } else if (type instanceof SetType set) {
            return plain(set.getElementType(), (Iterable<?>) value);
        } else if (type instanceof VectorType vector) {
            return plain(vector.getElementType(), (Iterable<?>) value);
        } else if (type instanceof MapType map) {
            List<Object> out = new ArrayList<>();
            ((Map<?, ?>) value).forEach((k, v) -> out.add(List.of(toPlain(map.getKeyType(), k), toPlain(map.getValueType(), v))));
            return out;
        } else if (type instanceof TupleType tuple) {
            return fields(tuple.getComponentTypes(), (GettableByIndex) value);
        } else if (type instanceof UserDefinedType udt) {
            return fields(udt.getFieldTypes(), (GettableByIndex) value);
        }
        return value.toString();
    }

    private static List<Object> plain(DataType of, Iterable<?> values) {
        List<Object> out = new ArrayList<>();
        values.forEach(value -> out.add(toPlain(of, value)));
        return out;
    }

    private static List<Object> fields(List<DataType> types, GettableByIndex value) {
        List<Object> out = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            out.add(value.isNull(i) ? null : toPlain(types.get(i), value.getObject(i)));
        }
        return out;
    }
}
