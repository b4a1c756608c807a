/* Records what Apache Cassandra's own classes make of counters' contexts; src/row/counter_test.c checks against it.
 *
 *   javac -cp 'cassandra/lib/*' CounterVectors.java &&
 *       java --add-opens java.base/java.io=ALL-UNNAMED --add-opens java.base/sun.nio.ch=ALL-UNNAMED -cp 'cassandra/lib/*:.' CounterVectors |
 *       grep -aP '^[TMAC]\t' > counters.txt
 *
 * One fact per line, fields between tabs:
 *   T  context  total                                       CounterContext.total
 *   M  context  context  merged                             CounterContext.merge, the same in both orders
 *   A  context  origin  now  delta  context after           what CounterMutation.updateWithCurrentValue does, with these classes
 *   C  cell  cell  kept                                     Cells.reconcile of two versions of a counter's cell, the same in both orders
 *
 * A context is its shards without Cassandra's header (which tells what kind they are; these are all global, as every one since 2.1):
 * origin, clock, count, in hex; "-": none. A cell is C/timestamp/context, or T/timestamp/made-at for a tombstone.
 */
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.db.ClockAndCount;
import org.apache.cassandra.db.context.CounterContext;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.db.rows.*;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.schema.*;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.CounterId;

public class CounterVectors
{
    static final Random random = new Random(20261123);
    static final CounterContext contexts = CounterContext.instance();
    static final String[] origins = { "00000000000000000000000000000000", "00000000000000000000000000000001", "7fffffffffffffffffffffffffffffff",
                                      "80000000000000000000000000000000", "ffffffffffffffffffffffffffffffff" };
    static final long[] numbers = { 0, 1, -1, 2, 3, Long.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE - 1, 1700000000000000L };
    static ColumnMetadata column;

    static long clock() { return random.nextInt(4) == 0 ? numbers[random.nextInt(numbers.length)] : random.nextInt(4); }
    static long count() { return random.nextInt(3) == 0 ? numbers[random.nextInt(numbers.length)] : random.nextInt(2001) - 1000; }
    static CounterId id(int i) { return CounterId.wrap(ByteBufferUtil.hexToBytes(origins[i]), 0); }

    static ByteBuffer context()
    {
        List<Integer> chosen = new ArrayList<>();

        for (int i = 0; i < origins.length; i++)
            if (random.nextInt(2) == 0)
                chosen.add(i);
        CounterContext.ContextState state = CounterContext.ContextState.allocate(chosen.size(), 0, 0);
        for (int i : chosen)
            state.writeGlobal(id(i), clock(), count());
        return state.context;
    }

    static String text(ByteBuffer context)
    {
        int header = 2 + 2 * Math.abs(context.getShort(context.position()));
        ByteBuffer shards = context.duplicate();

        shards.position(context.position() + header);
        return shards.hasRemaining() ? ByteBufferUtil.bytesToHex(shards) : "-";
    }

    static Cell<?> cell()
    {
        long timestamp = random.nextInt(4);

        return random.nextInt(3) == 0 ? BufferCell.tombstone(column, timestamp, 1000000000 + random.nextInt(3))
                                      : BufferCell.live(column, timestamp, context());
    }

    static String text(Cell<?> cell)
    {
        return cell.isTombstone() ? "T/" + cell.timestamp() + "/" + cell.localDeletionTime()
                                  : "C/" + cell.timestamp() + "/" + text(cell.buffer());
    }

    public static void main(String[] args)
    {
        DatabaseDescriptor.clientInitialization();
        Config config = DatabaseDescriptor.getRawConfig(); /* of the compactions that are asked where two shards have one clock and two counts */
        config.concurrent_compactors = config.concurrent_validations = config.concurrent_materialized_view_builders = 1;
        column = TableMetadata.builder("ks", "t").partitioner(Murmur3Partitioner.instance).isCounter(true)
                              .addPartitionKeyColumn("k", BytesType.instance).addRegularColumn("v", CounterColumnType.instance)
                              .build().getColumn(ByteBufferUtil.bytes("v"));
        for (int i = 0; i < 150; i++)
        {
            ByteBuffer context = context();

            System.out.println("T\t" + text(context) + "\t" + contexts.total(context, ByteBufferAccessor.instance));
        }
        for (int i = 0; i < 400; i++)
        {
            ByteBuffer a = context(), b = context();
            String merged = text(contexts.merge(a, b));

            if (!merged.equals(text(contexts.merge(b, a))))
                throw new IllegalStateException("the order decides");
            System.out.println("M\t" + text(a) + "\t" + text(b) + "\t" + merged);
        }
        for (int i = 0; i < 300; i++)
        {
            ByteBuffer context = context();
            int origin = random.nextInt(origins.length);
            long now = 1 + random.nextInt(6), delta = count();
            ClockAndCount there = contexts.getClockAndCountOf(context, id(origin));

            if (there.clock == Long.MAX_VALUE)
                continue;
            ByteBuffer added = contexts.createGlobal(id(origin), Math.max(now, there.clock + 1), there.count + delta);
            System.out.println("A\t" + text(context) + "\t" + origins[origin] + "\t" + now + "\t" + delta + "\t" + text(contexts.merge(context, added)));
        }
        for (int i = 0; i < 400; i++)
        {
            Cell<?> a = cell(), b = cell();
            String kept = text(Cells.reconcile(a, b));

            if (kept.equals(text(Cells.reconcile(b, a))))
                System.out.println("C\t" + text(a) + "\t" + text(b) + "\t" + kept);
        }
    }
}
