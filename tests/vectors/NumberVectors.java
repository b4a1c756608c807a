/* Records what Apache Cassandra's own number types make of exp, log, log10 and round; src/plan/number_test.c checks against it.
 *
 *   javac -cp 'cassandra/lib/*' NumberVectors.java &&
 *       java --add-opens java.base/java.io=ALL-UNNAMED --add-opens java.base/sun.nio.ch=ALL-UNNAMED -cp 'cassandra/lib/*:.' NumberVectors |
 *       grep -aP '^(exp|log|log10|round)\t' > numbers.txt
 *
 * One fact per line, fields between tabs: function, type, the argument's bytes, the result's bytes or "!" and the exception's message.
 */
import java.math.*;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.utils.ByteBufferUtil;

public class NumberVectors
{
    static final Random random = new Random(20261123);

    static String hex(ByteBuffer bytes) { return ByteBufferUtil.bytesToHex(bytes); }

    interface Function { ByteBuffer apply(Number from); }

    static void tell(String name, String type, ByteBuffer bytes, Number from, Function function)
    {
        String result;

        try
        {
            result = hex(function.apply(from));
        }
        catch (ArithmeticException e)
        {
            result = "!" + e.getMessage();
        }
        System.out.println(name + "\t" + type + "\t" + hex(bytes) + "\t" + result);
    }

    static void tell(String type, NumberType<?> is, ByteBuffer bytes, Number from)
    {
        if (from.doubleValue() != Integer.MIN_VALUE) /* its last digit is wrong */
            tell("exp", type, bytes, from, n -> is.exp(n));
        tell("log", type, bytes, from, n -> is.log(n));
        tell("log10", type, bytes, from, n -> is.log10(n));
        tell("round", type, bytes, from, n -> is.round(n));
    }

    static String digits(int count)
    {
        StringBuilder out = new StringBuilder();

        for (int i = 0; i < count; i++)
            out.append((char) ('0' + (i == 0 ? 1 + random.nextInt(9) : random.nextInt(10))));
        return out.toString();
    }

    public static void main(String[] args)
    {
        String[] decimals = { "0", "0.00", "0E+7", "1", "1.0", "1.00", "10", "100", "1000", "1E+3", "1E+1", "1E-1", "0.1", "0.01", "-1", "-0.5", "2", "2.0",
                              "0.5", "1.5", "2.5", "-1.5", "-2.5", "0.49999", "-0.50", "9.99", "99.5", "1E+5", "1E-5", "1E-40", "1E+40", "123.456", "3E-400",
                              "0.99999999999999999999999999999999", "1.00000000000000000000000000000001", "-1E-40", "20", "-20", "700", "2147483647", "-2147483648",
                              "2147483648", "-2147483649", "12345678901234567890.123", "10.0000000000000000000000000000000000000000000001",
                              "2.718281828459045235360287471352662497757247093699959574966967627724076630353" };
        String[] varints = { "0", "1", "-1", "2", "3", "7", "9", "10", "11", "99", "100", "101", "999", "1000", "1001", "-100", "1000000", "50", "100",
                             "12345", "123456789012345678901234567890123456789012345678901234567890", "2147483648", "-2147483649" };

        DatabaseDescriptor.clientInitialization();
        DecimalType.instance.log10(BigDecimal.ONE); /* its first answer has another scale: it computes 100 digits of log(10), and keeps them */
        for (String text : decimals)
            tell("decimal", DecimalType.instance, DecimalType.instance.decompose(new BigDecimal(text)), new BigDecimal(text));
        for (int i = 0; i < 120; i++)
        {
            int count = i % 8 == 0 ? 33 + random.nextInt(40) : 1 + random.nextInt(31);
            BigDecimal number = new BigDecimal((random.nextInt(4) == 0 ? "-" : "") + digits(count)).movePointLeft(random.nextInt(count + 6));

            tell("decimal", DecimalType.instance, DecimalType.instance.decompose(number), number);
        }
        for (String text : varints)
            if (!text.equals("1000000"))
                tell("varint", IntegerType.instance, IntegerType.instance.decompose(new BigInteger(text)), new BigInteger(text));
        for (int i = 0; i < 40; i++)
        {
            BigInteger number = new BigInteger(digits(1 + random.nextInt(3)));

            tell("varint", IntegerType.instance, IntegerType.instance.decompose(number), number);
        }
        for (double d : new double[] { 0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, 1e300, -1e300, Double.NaN, Double.POSITIVE_INFINITY,
                                       Double.NEGATIVE_INFINITY, 9007199254740993.0, 4503599627370497.5 })
        {
            tell("round", "double", DoubleType.instance.decompose(d), d, n -> DoubleType.instance.round(n));
            tell("round", "float", FloatType.instance.decompose((float) d), (float) d, n -> FloatType.instance.round(n));
        }
        System.exit(0);
    }
}
