/* Records what Apache Cassandra's own classes do with types and values; src/types/types_test.c checks against it.
 *
 *   javac -cp 'cassandra/lib/*' TypeVectors.java && java -Duser.timezone=UTC -cp 'cassandra/lib/*:.' TypeVectors | grep -aP '^[A-Z]\t' > types.txt
 *
 * One fact per line, fields between tabs (\\ \t \n \r escaped, NUL as \z; null is \0):
 *   T  n  cql form  class form  valueLengthIfFixed         type number n
 *   V  n  bytes  error message or \0  CQL literal  JSON    is it valid, and how it prints
 *   C  n  bytes  bytes  -1|0|1                             order
 *   L  n  string  bytes or \0  error message               AbstractType.fromString
 *   J  n  json  bytes or \0  error message                 fromJSONObject
 *   K  key  token
 *   A  n  kind  0|1                                        may a constant of this kind be assigned to the type
 *   X  to  from  0|1                                       isValueCompatibleWith
 */
import java.math.*;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.*;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.schema.*;
import org.apache.cassandra.transport.ProtocolVersion;
import org.apache.cassandra.utils.*;

public class TypeVectors
{
    static final StringBuilder out = new StringBuilder();
    static final Random random = new Random(42);

    static String esc(String s)
    {
        if (s == null)
            return "\\0";
        return s.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\u0000", "\\z");
    }

    static String hex(ByteBuffer b)
    {
        return b == null ? "\\0" : ByteBufferUtil.bytesToHex(b);
    }

    static void line(Object... fields)
    {
        StringJoiner j = new StringJoiner("\t");
        for (Object f : fields)
            j.add(f.toString());
        System.out.println(j);
    }

    static final String[] names = {
        "ascii", "bigint", "blob", "boolean", "counter", "decimal", "double", "float", "int", "timestamp", "uuid", "text",
        "varint", "timeuuid", "inet", "date", "time", "smallint", "tinyint", "duration", "empty",
        "list<int>", "frozen<list<int>>", "frozen<list<text>>", "set<uuid>", "frozen<set<text>>", "map<text, int>",
        "frozen<map<text, decimal>>", "frozen<map<int, frozen<list<boolean>>>>", "frozen<tuple<int, text>>",
        "frozen<tuple<double, frozen<set<int>>, timeuuid>>", "addr", "frozen<addr>", "frozen<list<frozen<addr>>>",
        "vector<float, 3>", "vector<text, 2>", "vector<frozen<list<int>>, 2>", "frozen<set<vector<int, 2>>>", "vector<smallint, 2>",
        "list<frozen<tuple<int, text>>>", "map<text, frozen<addr>>", "frozen<map<blob, float>>", "frozen<list<duration>>",
        "frozen<map<timestamp, date>>", "frozen<map<inet, time>>", "frozen<map<uuid, bigint>>", "frozen<\"Odd\">",
        "frozen<set<frozen<map<varint, ascii>>>>", "vector<vector<int, 2>, 2>", "frozen<tuple<tinyint>>",
    };

    static String[][] literals = {
        { "ascii", "", "abc", "é", "a'b" },
        { "text", "", "abc", "é", "a'b", "\"\\\n\t\u0001\u007f", "日本", "😀" },
        { "bigint", "0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "", "x", "+5", "1.0", " 1" },
        { "int", "0", "-1", "2147483647", "-2147483648", "2147483648", "", "abc", "+5", "007" },
        { "smallint", "0", "-32768", "32767", "32768", "", "x" },
        { "tinyint", "0", "-128", "127", "128", "", "x" },
        { "counter", "5", "x" },
        { "boolean", "true", "FALSE", "True", "yes", "", "0" },
        { "blob", "", "00ff", "0xab", "xyz", "abc" },
        { "decimal", "0", "1.0", "1.00", "-1.5", "1e10", "1E-10", "100", ".5", "5.", "-0.0", "123456789012345678901234567890.12345678901234567890",
          "", "x", "1e2147483647", "1e2147483648", "+7.1", "0E+3", "0.000001", "0.0000001", "-12e-9" },
        { "varint", "0", "-1", "127", "128", "-128", "-129", "255", "256", "99999999999999999999999999999", "-99999999999999999999999999999",
          "", "x", "1.0", "-32768", "-32769", "18446744073709551616", "-18446744073709551616", "340282366920938463463374607431768211456" },
        { "double", "0", "-0.0", "1", "1.5", "1e10", "1e7", "9999999", "12345678.9", "0.001", "0.0001", "NaN", "Infinity", "-Infinity", "-NaN", "", "x",
          "1e309", "4.9e-324", "1.7976931348623157e308", "0.1", "0.30000000000000004", "1e-5", "1f", "123456789012345680", "1e21", "1e23", "2.2250738585072014E-308", "0x1p3" },
        { "float", "0", "-0.0", "1", "1.5", "1e10", "3.4028235e38", "1e39", "NaN", "Infinity", "-Infinity", "", "x", "0.1", "1.4e-45", "16777216", "1e7", "0.001", "33554432.0", "3.3e-5" },
        { "timestamp", "0", "-1", "1234567890123", "2011-02-03", "2011-02-03 04:05", "2011-02-03 04:05:06", "2011-02-03 04:05:06.7", "2011-02-03 04:05:06.789",
          "2011-02-03T04:05:06.789", "2011-02-03 04:05+0000", "2011-02-03 04:05:06+0100", "2011-02-03T04:05:06.789-0830", "2011-02-03 04:05Z", "2011-02-03T04:05:06Z",
          "2011-02-03+0100", "2011-02-03 04:05:06+01:00", "2011-02-03T04:05:06.789+01", "2011-02-03 04:05 UTC", "2011-02-03 04:05:06 GMT", "", "2011-02-03 04:5", "+10000-01-01", "2011-02-03 04:05:06.", "2011-02-03 23:59:59.999999999",
          "2011-02-03  04:05", "2011-02-03 04:05:6", "2011-02-03 04", "2011-02-03T", "2011-02-03 24:01", "2011-02-03 25:00", "2011-02-03 04:05+0530", "2011-02-03 04:05+5:30", "2011-02-03+01:00",
          "2011-02-03 +0100", "2011-02-03 UTC", "2011-02-32", "2011-00-01", "2011-02-03t04:05", "2011-02-03 04:05z", "2011-02-03 04:05 utc", "2011-02-03 04:05+1900", "2011-02-03 04:05-00:00", "2011-02-03 ", " 2011-02-03", "2011-02-03 04:05-1:00", "12345-01-01", "-12345", "0000-01-01", "2011-02-03 04:05:06.1234567890", "2011-13-03", "2011-02-30", "2011-2-3",
          "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "9999-12-31 23:59:59.999+0000", "2011-02-03 24:00", "2011-02-03 4:05", "2011-02-03 04:05:06.7890",
          "+12345", "2011-02-03T04:05", "2011-02-03T04:05+0000", "2012-02-29", "1900-02-29", "20110203", "2011-02-03 04:05:06.78", "2011-02-03Z", "10000-01-01", "-0001-01-01", "1582-10-04", "1582-10-15", "1500-02-29", "0001-01-03", "2011-02-03 04:05:60", "9223372036854775807", "9223372036854775808", "2011-02-03 04:05:06 +0100", "2011-02-03T04:05:06.123456Z", "2011-02-03 04:05+1" },
        { "date", "0", "2147483648", "4294967295", "4294967296", "-1", "1970-01-01", "2014-01-01", "1969-12-31", "-5877641-06-23", "5881580-07-11", "5881580-07-12", "", "x",
          "2014-13-01", "2014-02-29", "2012-02-29", "2014-1-1", "0001-01-01", "0000-01-01", "-0001-01-01", "10000-01-01", "2014-01-01 00:00", "+2014-01-01", "1500-02-29", "1582-10-10", "14-01-01", "+5881580-07-11", "+5881580-07-12", "+10000-01-01", "-12345-01-01", "-2147483648" },
        { "time", "0", "86399999999999", "86400000000000", "-1", "00:00:00", "23:59:59.999999999", "24:00:00", "12:34:56.7", "12:34:56.789", "12:34:56.123456", "1:2:3", "12:34", "", "x", "12:34:56.1234567890", "12:60:00", "12:34:60", "12:34:56.", " 12:34:56", "12:34:56.5 ", "1:02:03.000000001", "+1:02:03", "012:34:56", "12: 34:56", "12:34:5a", "12:34:56.5a", "-1:00:00" },
        { "uuid", "", "123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000", "x", "123e4567e89b12d3a456426614174000", "1-2-3-4-5", "00000000-0000-0000-0000-000000000000" },
        { "timeuuid", "", "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174000", "x", "now" },
        { "inet", "", "127.0.0.1", "255.255.255.255", "::1", "2001:db8::8a2e:370:7334", "::ffff:1.2.3.4", "fe80::1", "x.invalid.", "::", "1::", "256.1.1.1x" },
        { "duration", "", "1y2mo3w4d5h6m7s8ms9us10ns", "1h30m", "-1d", "P1Y2M3DT4H5M6S", "PT1H", "P2W", "P0001-02-03T04:05:06", "1d1d", "1m1h", "x", "P", "-P1D", "0s", "1Y", "1H30M", "1MS", "10µs", "5us", "1.5h", "P1W1D",
          "178956970y", "2147483647mo", "2147483648mo", "2147483647d", "2147483648d", "106751991167300d", "2562047h", "2562048h", "9223372036854775807ns", "9223372036854775808ns", "1d-2h", "PT", "P1Y", "1y", "1mo1y", "-P0001-02-03T04:05:06", "12mo", "25h", "1w", "--1d", "P1.5D", "1", "PT0S", "1ms1us1ns", "1s1ms", "13mo8d25h61m61s1001ms" },
    };

    static String[][] jsons = {
        { "int", "1", "\"1\"", "1.5", "true", "null", "\"x\"", "[1]", "2147483648", "1e2", "-0" },
        { "bigint", "1", "\"1\"", "1.5", "9223372036854775807", "9223372036854775808", "{}" },
        { "smallint", "1", "\"-5\"", "40000", "1.0", "true" },
        { "tinyint", "1", "200", "\"7\"", "[]" },
        { "varint", "123456789012345678901234567890", "\"12\"", "1.5", "\"x\"", "true" },
        { "decimal", "1.5", "\"1.50\"", "1e400", "3", "true", "\"x\"", "123456789012345678901234567890.5", "[1]" },
        { "double", "1.5", "\"1.5\"", "3", "\"NaN\"", "true", "\"x\"" },
        { "float", "1.5", "\"1.5\"", "3", "\"x\"", "{}" },
        { "boolean", "true", "false", "\"true\"", "\"x\"", "1" },
        { "text", "\"abc\"", "\"\\u00e9\\n\\\"\\/\"", "1", "\"\\ud83d\\ude00\"", "true", "\"\"" },
        { "ascii", "\"abc\"", "\"\\u00e9\"", "5" },
        { "blob", "\"0x00ff\"", "\"00ff\"", "\"0xabc\"", "\"0x\"", "1" },
        { "timestamp", "\"2011-02-03 04:05:06+0000\"", "1234567890123", "\"2011-02-03\"", "1.5", "\"x\"", "true" },
        { "date", "\"2014-01-01\"", "\"x\"", "5", "true" },
        { "time", "\"12:34:56\"", "\"x\"", "5", "true" },
        { "uuid", "\"123e4567-e89b-12d3-a456-426614174000\"", "\"x\"", "5" },
        { "timeuuid", "\"123e4567-e89b-12d3-a456-426614174000\"", "\"123e4567-e89b-42d3-a456-426614174000\"", "5" },
        { "inet", "\"127.0.0.1\"", "\"::1\"", "5" },
        { "duration", "\"1h30m\"", "5", "\"x\"" },
        { "frozen<list<int>>", "[]", "[1,2,3]", "[1,null]", "\"[1, 2]\"", "1", "[\"4\"]", "{}", "[1.5]" },
        { "frozen<list<text>>", "[\"a\",\"b\"]", "[1]" },
        { "frozen<set<text>>", "[\"b\",\"a\",\"b\"]", "[null]", "{}", "[]" },
        { "frozen<map<text, decimal>>", "{}", "{\"b\":1,\"a\":2.50}", "{\"a\":null}", "[1]", "{\"a\": 1, \"a\": 2}" },
        { "frozen<map<int, frozen<list<boolean>>>>", "{\"1\":[true]}", "{\"x\":[]}", "{\"2\":[],\"-1\":[false]}" },
        { "frozen<tuple<int, text>>", "[1,\"a\"]", "[1]", "[1,null]", "[1,\"a\",2]", "[]", "{}", "1" },
        { "frozen<addr>", "{\"street\":\"x\",\"zip\":5}", "{}", "{\"ZIP\":7}", "{\"nope\":1}", "{\"phones\":[\"1\",\"2\"]}", "[1]", "{\"zip\":null}" },
        { "frozen<\"Odd\">", "{\"\\\"Field\\\"\":1}", "{\"Field\":1}", "{\"field\":1}" },
        { "vector<float, 3>", "[1,2,3.5]", "[1,2]", "[1,2,3,4]", "{}", "[1,2,null]" },
        { "vector<text, 2>", "[\"a\",\"bb\"]" },
    };

    static Types udts()
    {
        UserType addr = new UserType("ks", ByteBufferUtil.bytes("addr"),
            Arrays.asList(FieldIdentifier.forUnquoted("street"), FieldIdentifier.forUnquoted("zip"), FieldIdentifier.forUnquoted("phones")),
            Arrays.asList(UTF8Type.instance, Int32Type.instance, SetType.getInstance(UTF8Type.instance, false)), true);
        UserType odd = new UserType("ks", ByteBufferUtil.bytes("Odd"),
            Arrays.asList(FieldIdentifier.forQuoted("Field"), FieldIdentifier.forUnquoted("b")),
            Arrays.asList(Int32Type.instance, BytesType.instance), true);
        return Types.of(addr, odd);
    }

    static Types udts;

    static AbstractType<?> parse(String name)
    {
        if (name.equals("empty"))
            return EmptyType.instance;
        return CQLTypeParser.parse("ks", name, udts);
    }

    static byte[] bytes(int n)
    {
        byte[] b = new byte[n];
        random.nextBytes(b);
        return b;
    }

    static ByteBuffer vint(long... values)
    {
        try (org.apache.cassandra.io.util.DataOutputBuffer o = new org.apache.cassandra.io.util.DataOutputBuffer())
        {
            for (long v : values)
                o.writeVInt(v);
            return o.asNewBuffer();
        }
        catch (Exception e)
        {
            throw new RuntimeException(e);
        }
    }

    /* Bytes a value of the type could be: extremes and random ones, valid or not. */
    static List<ByteBuffer> samples(AbstractType<?> type)
    {
        List<ByteBuffer> list = new ArrayList<>();
        list.add(ByteBufferUtil.EMPTY_BYTE_BUFFER);
        if (type instanceof FloatType)
            for (float f : new float[] { 0f, -0f, 1, -1, Float.MIN_VALUE, Float.MAX_VALUE, -Float.MAX_VALUE, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 1e7f, 123.456f, 1e-3f, 9.9e-4f, 3.3333f })
                list.add(ByteBufferUtil.bytes(f));
        if (type instanceof FloatType)
            list.add(ByteBuffer.wrap(new byte[] { -1, -1, -1, -1 }));
        if (type instanceof DoubleType)
            for (double f : new double[] { 0, -0.0, 1, -1, Double.MIN_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 1e7, 123.456, 1e-3, 9.9e-4, Math.PI })
                list.add(ByteBufferUtil.bytes(f));
        if (type instanceof DoubleType)
            list.add(ByteBuffer.wrap(new byte[] { -1, -1, -1, -1, -1, -1, -1, -1 }));
        if (type instanceof DecimalType)
            for (String s : new String[] { "0", "0.0", "1.0", "1.00", "1", "-1", "10", "1e5", "100000", "-1e-5", "123456.789", "123456.7890", "-99", "99", "1e2000000000", "1e-2000000000", "1e2000000001", "12345678901234567890123456789012345678901234567890", "-12345678901234567890123456789012345678901234567890.5", "0.1", "0.09", "-0.1", "-0.09" })
                list.add(DecimalType.instance.decompose(new BigDecimal(s)));
        if (type instanceof IntegerType)
        {
            for (int bits : new int[] { 0, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 519, 520, 521, 1000 })
                for (int d = -1; d <= 1; d++)
                    for (int s = -1; s <= 1; s += 2)
                        if (list.size() < 60 || bits > 500)
                            list.add(IntegerType.instance.decompose(BigInteger.ONE.shiftLeft(bits).multiply(BigInteger.valueOf(s)).add(BigInteger.valueOf(d))));
            list.add(ByteBuffer.wrap(new byte[] { 0, 0, 1 }));
            list.add(ByteBuffer.wrap(new byte[] { -1, -1 }));
            list.add(ByteBuffer.wrap(new byte[] { 1 }));
        }
        if (type instanceof DurationType)
        {
            list.add(vint(0, 0, 0));
            list.add(vint(14, 3, 3723004005006L));
            list.add(vint(-14, -3, -5));
            list.add(vint(1, -1, 0));
            list.add(vint(1L << 32, 0, 0));
            list.add(vint(0, 1L << 32, 0));
            list.add(vint(Integer.MAX_VALUE, Integer.MAX_VALUE, Long.MAX_VALUE));
            list.add(vint(Integer.MIN_VALUE, Integer.MIN_VALUE, Long.MIN_VALUE));
            list.add(vint(0, 0, 127));
            list.add(vint(0, 0, 1000));
        }
        if (type instanceof UUIDType || type instanceof TimeUUIDType)
            for (int i = 0; i < 24; i++)
            {
                byte[] b = bytes(16);
                if (i % 3 != 0)
                    b[6] = (byte) (0x10 | (b[6] & 15));
                if (i % 4 == 0)
                    Arrays.fill(b, 0, 6, (byte) i);
                list.add(ByteBuffer.wrap(b));
            }
        if (type instanceof UTF8Type || type instanceof AsciiType)
            for (String s : new String[] { "a", "ab", "a'b", "a\"b", "\u0000", "a\u0000", "a\u0000\u0000b", "\u0001\u001f\u007f", "é", "日本", "😀", "line\nline\ttab\\", "/" })
                list.add(ByteBufferUtil.bytes(s));
        if (type instanceof InetAddressType)
            for (String s : new String[] { "7f000001", "00000000000000000000000000000001", "00000000000000000000ffff01020304", "20010db8000000000000000000000001", "fe80000000000000abcd000000000001" })
                list.add(ByteBufferUtil.hexToBytes(s));
        if (type instanceof TimestampType)
            for (long l : new long[] { 0, -1, 1, 999, 1000, 1234567890123L, -62135769600000L, 253402300799999L, 253402300800000L, -12219292800000L, -12219292800001L, 951782400000L, -62167219200000L, -62200000000000L })
                list.add(ByteBufferUtil.bytes(l));
        if (type instanceof TimeType)
            for (long l : new long[] { 0, 1, 999999999L, 86399999999999L, 3600000000000L, 86400000000000L, -1 })
                list.add(ByteBufferUtil.bytes(l));
        if (type instanceof SimpleDateType)
            for (int l : new int[] { 0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE, 0x80004000, Integer.MIN_VALUE - 719529, Integer.MIN_VALUE - 719528, Integer.MIN_VALUE - 719162 })
                list.add(ByteBufferUtil.bytes(l));
        int[] sizes = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17 };
        for (int n : sizes)
        {
            byte[] zero = new byte[n], ones = new byte[n], min = new byte[n], max = new byte[n];
            Arrays.fill(ones, (byte) -1);
            min[0] = -128;
            Arrays.fill(max, (byte) -1);
            max[0] = 127;
            /* Random text may hold surrogates, which we refuse; Java before 19 does not always print the shortest float. */
            boolean plain = type instanceof UTF8Type || type instanceof FloatType || type instanceof DoubleType;
            list.add(ByteBuffer.wrap(zero));
            list.add(ByteBuffer.wrap(ones));
            list.add(ByteBuffer.wrap(min));
            list.add(ByteBuffer.wrap(max));
            if (!plain)
                list.add(ByteBuffer.wrap(bytes(n)));
        }
        return list;
    }

    static ByteBuffer sample(AbstractType<?> type, int depth)
    {
        for (int tries = 0; ; tries++)
        {
            ByteBuffer b = generate(type, depth);
            try
            {
                type.validate(b);
                return b;
            }
            catch (Throwable e)
            {
            }
        }
    }

    static final Map<AbstractType<?>, List<ByteBuffer>> cache = new HashMap<>();

    static ByteBuffer generate(AbstractType<?> type, int depth)
    {
        type = type.unwrap();
        List<ByteBuffer> parts = new ArrayList<>();
        if (type instanceof ListType || type instanceof SetType)
        {
            AbstractType<?> e = type instanceof ListType ? ((ListType<?>) type).getElementsType() : ((SetType<?>) type).getElementsType();
            int n = random.nextInt(4);
            for (int i = 0; i < n; i++)
                parts.add(sample(e, depth + 1));
            return pack(n, parts);
        }
        if (type instanceof MapType)
        {
            int n = random.nextInt(3);
            for (int i = 0; i < n; i++)
            {
                parts.add(sample(((MapType<?, ?>) type).getKeysType(), depth + 1));
                parts.add(sample(((MapType<?, ?>) type).getValuesType(), depth + 1));
            }
            return pack(n, parts);
        }
        if (type instanceof TupleType)
        {
            int n = ((TupleType) type).size() - random.nextInt(2);
            for (int i = 0; i < n; i++)
                parts.add(random.nextInt(4) == 0 ? null : sample(((TupleType) type).type(i), depth + 1));
            return pack(-1, parts);
        }
        if (type instanceof VectorType)
        {
            VectorType<?> v = (VectorType<?>) type;
            for (int i = 0; i < v.dimension; i++)
            {
                ByteBuffer b;
                do
                    b = sample(v.elementType, depth + 1);
                while (v.elementType.isValueLengthFixed() && !b.hasRemaining());
                parts.add(b);
            }
            return v.decomposeRaw(parts);
        }
        List<ByteBuffer> list = cache.computeIfAbsent(type, TypeVectors::samples);
        return list.get(random.nextInt(list.size()));
    }

    static ByteBuffer pack(int count, List<ByteBuffer> parts)
    {
        int size = count < 0 ? 0 : 4;
        for (ByteBuffer p : parts)
            size += 4 + (p == null ? 0 : p.remaining());
        ByteBuffer b = ByteBuffer.allocate(size);
        if (count >= 0)
            b.putInt(count);
        for (ByteBuffer p : parts)
        {
            b.putInt(p == null ? -1 : p.remaining());
            if (p != null)
                b.put(p.duplicate());
        }
        b.flip();
        return b;
    }

    public static void main(String[] args) throws Exception
    {
        DatabaseDescriptor.clientInitialization();
        System.setOut(new java.io.PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, "UTF-8"));
        udts = udts();
        List<AbstractType<?>> types = new ArrayList<>();
        Map<String, Integer> index = new HashMap<>();
        for (String n : names)
        {
            AbstractType<?> t = parse(n);
            index.put(n, types.size());
            line("T", types.size(), esc(t.asCQL3Type().toString()), esc(t.toString()), Math.max(0, t.valueLengthIfFixed()));
            types.add(t);
        }
        for (int i = 0; i < types.size(); i++)
        {
            AbstractType<?> t = types.get(i);
            List<ByteBuffer> values = new ArrayList<>();
            boolean simple = t.subTypes().isEmpty();
            if (simple)
                values.addAll(samples(t));
            else
                for (int k = 0; k < 24; k++)
                    values.add(k == 0 ? ByteBufferUtil.EMPTY_BYTE_BUFFER : sample(t, 0));
            if (!simple)
                for (int k = 0; k < 6; k++)
                {
                    ByteBuffer b = ByteBuffer.wrap(ByteBufferUtil.getArray(sample(t, 0)).clone());
                    if (k % 2 == 0 && b.remaining() > 0)
                        b.limit(random.nextInt(b.remaining()));
                    else
                    {
                        ByteBuffer longer = ByteBuffer.allocate(b.remaining() + 1);
                        longer.put(b.duplicate());
                        longer.flip().limit(longer.capacity());
                        b = longer;
                    }
                    values.add(b);
                }
            List<ByteBuffer> valid = new ArrayList<>();
            Set<String> seen = new HashSet<>();
            for (ByteBuffer b : values)
            {
                if (!seen.add(hex(b)))
                    continue;
                String error = null, literal = null, json = null;
                try
                {
                    t.validate(b);
                }
                catch (Throwable e)
                {
                    error = String.valueOf(e.getMessage());
                }
                if (error == null)
                {
                    try
                    {
                        literal = t.asCQL3Type().toCQLLiteral(b);
                    }
                    catch (Throwable e)
                    {
                    }
                    try
                    {
                        json = t.toJSONString(b, ProtocolVersion.V5);
                    }
                    catch (Throwable e)
                    {
                    }
                    valid.add(b);
                }
                line("V", i, hex(b), esc(error), esc(literal), esc(json));
            }
            if (t instanceof CounterColumnType)
                continue;
            int pairs = simple ? 60 : 40;
            for (int k = 0; k < pairs; k++)
            {
                ByteBuffer a = valid.get(random.nextInt(valid.size())), b = valid.get(random.nextInt(valid.size()));
                try
                {
                    line("C", i, hex(a), hex(b), Integer.signum(t.compare(a, b)));
                }
                catch (Throwable e)
                {
                }
            }
        }
        for (String[] l : literals)
            for (int k = 1; k < l.length; k++)
            {
                ByteBuffer b = null;
                String error = null;
                try
                {
                    AbstractType<?> t = parse(l[0]);
                    b = t instanceof CounterColumnType ? LongType.instance.fromString(l[k]) : t.fromString(l[k]);
                }
                catch (Throwable e)
                {
                    error = String.valueOf(e.getMessage());
                }
                line("L", index.get(l[0]), esc(l[k]), hex(b), esc(error));
            }
        for (String[] l : jsons)
            for (int k = 1; k < l.length; k++)
            {
                ByteBuffer b = null;
                String error = null;
                try
                {
                    AbstractType<?> t = parse(l[0]);
                    Object o = JsonUtils.decodeJson(l[k]);
                    if (o != null)
                    {
                        Term term = t.fromJSONObject(o);
                        b = term.bindAndGet(QueryOptions.DEFAULT);
                    }
                }
                catch (Throwable e)
                {
                    error = String.valueOf(e.getMessage());
                }
                line("J", index.get(l[0]), esc(l[k]), hex(b), esc(error));
            }
        for (int n = 0; n <= 70; n++)
            for (int k = 0; k < 4; k++)
            {
                byte[] b = bytes(n);
                if (k == 1)
                    Arrays.fill(b, (byte) -1);
                if (k == 2)
                    Arrays.fill(b, (byte) 0x80);
                if (k == 3)
                    Arrays.fill(b, (byte) 0);
                line("K", hex(ByteBuffer.wrap(b)), Murmur3Partitioner.instance.getToken(ByteBuffer.wrap(b)).getTokenValue());
            }
        Constants.Literal[] constants = { Constants.Literal.string("x"), Constants.Literal.integer("1"), Constants.Literal.floatingPoint("1.5"),
            Constants.Literal.bool("true"), Constants.Literal.uuid("123e4567-e89b-12d3-a456-426614174000"), Constants.Literal.hex("0x00"),
            Constants.Literal.duration("1h") };
        for (int i = 0; i < types.size(); i++)
            for (int k = 0; k < constants.length; k++)
            {
                /* A tuple takes a string of its own form from before CQL had tuple literals; not supported. */
                if (types.get(i) instanceof TupleType && !types.get(i).isUDT())
                    continue;
                ColumnSpecification column = new ColumnSpecification("ks", "t", new ColumnIdentifier("c", true), types.get(i));
                line("A", i, k, constants[k].testAssignment("ks", column).isAssignable() ? 1 : 0);
            }
        for (int i = 0; i < types.size(); i++)
            for (int k = 0; k < types.size(); k++)
                line("X", i, k, types.get(i).isValueCompatibleWith(types.get(k)) ? 1 : 0);
    }
}
