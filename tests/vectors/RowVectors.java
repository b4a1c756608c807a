/* Records what Apache Cassandra's own classes make of versions of a row; src/row/merge_test.c checks against it.
 *
 *   javac -cp 'cassandra/lib/*' RowVectors.java && java -cp 'cassandra/lib/*:.' RowVectors | grep -aP '^[RMHP]\t' > row_merge.txt
 *
 * One fact per line, fields between tabs:
 *   R  cell  cell  kept                             Cells.reconcile; left out where the order of the arguments decides
 *   M  merged  row  row [row...]                    Row.Merger (what readers and compactions use), the same in any order
 *   H  now  timestamp/made-at  row  seen            filtered by a deletion of the partition, then purged as for a reader
 *   P  now  gc-before  purge-before  row  left      purged as by a compaction
 *
 * A row is parts between spaces, "-" if there is none: L/timestamp/ttl/expiry liveness; D/timestamp/made-at deletion;
 * X/column/timestamp/made-at deletion of a collection; C/column/path/timestamp/value live, E/column/path/timestamp/ttl/expiry/value
 * expiring, T/column/path/timestamp/made-at tombstone. Paths and values are hex; the path is "." in simple columns.
 * Columns 3 and 4 are simple, 5 is a map, 6 a set.
 */
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.db.*;
import org.apache.cassandra.db.filter.ColumnFilter;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.db.rows.*;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.schema.*;
import org.apache.cassandra.utils.ByteBufferUtil;

public class RowVectors
{
    static final Random random = new Random(42);
    static TableMetadata table;
    static final ColumnMetadata[] columns = new ColumnMetadata[7];
    static final long[] timestamps = { 1, 2, 3, 4, 5, 0, -1, Long.MIN_VALUE + 3, Long.MAX_VALUE, Long.MAX_VALUE - 1 };
    static final long[] times = { 1000000010, 1000000011, 1000000012, 1000000013, 1000000000, 4000000000L };
    static final int[] ttls = { 1, 5, 100, 630720000 };
    static final String[] values = { "", "00", "0000", "01", "7f", "80", "ff", "ff00", "ffff", "6162", "6163" };

    static long timestamp() { return random.nextInt(8) == 0 ? timestamps[random.nextInt(timestamps.length)] : timestamps[random.nextInt(5)]; }
    static long time() { return random.nextInt(8) == 0 ? times[random.nextInt(times.length)] : times[random.nextInt(4)]; }
    static ByteBuffer value() { return ByteBufferUtil.hexToBytes(values[random.nextInt(values.length)]); }

    static Cell<?> cell(int column, CellPath path)
    {
        ByteBuffer value = column == 6 ? ByteBufferUtil.EMPTY_BYTE_BUFFER : value();

        switch (random.nextInt(4))
        {
            case 0: return BufferCell.tombstone(columns[column], timestamp(), time(), path);
            case 1: return new BufferCell(columns[column], timestamp(), ttls[random.nextInt(ttls.length)], time(), value, path);
            default: return BufferCell.live(columns[column], timestamp(), value, path);
        }
    }

    static Row row()
    {
        Row.Builder builder = BTreeRow.sortedBuilder();
        builder.newRow(Clustering.make(ByteBufferUtil.hexToBytes("00")));
        switch (random.nextInt(4))
        {
            case 0: break;
            case 1: builder.addPrimaryKeyLivenessInfo(LivenessInfo.withExpirationTime(timestamp(), ttls[random.nextInt(ttls.length)], time())); break;
            default: builder.addPrimaryKeyLivenessInfo(LivenessInfo.create(timestamp(), time()));
        }
        if (random.nextInt(4) == 0)
            builder.addRowDeletion(Row.Deletion.regular(DeletionTime.build(timestamp(), time())));
        for (int column = 3; column <= 4; column++)
            if (random.nextInt(3) != 0)
                builder.addCell(cell(column, null));
        for (int column = 5; column <= 6; column++)
        {
            if (random.nextInt(2) == 0)
                continue;
            if (random.nextInt(2) == 0)
                builder.addComplexDeletion(columns[column], DeletionTime.build(timestamp(), time()));
            for (String path : new String[]{ "", "00", "01", "0100", "ff" })
                if (random.nextInt(3) == 0)
                    builder.addCell(cell(column, CellPath.create(ByteBufferUtil.hexToBytes(path))));
        }
        return builder.build();
    }

    static String text(Cell<?> cell, int column)
    {
        String at = column + "/" + (cell.path() == null ? "." : ByteBufferUtil.bytesToHex(cell.path().get(0))) + "/" + cell.timestamp();
        String value = ByteBufferUtil.bytesToHex(cell.buffer());

        if (cell.isTombstone())
            return "T/" + at + "/" + cell.localDeletionTime();
        if (cell.isExpiring())
            return "E/" + at + "/" + cell.ttl() + "/" + cell.localDeletionTime() + "/" + value;
        return "C/" + at + "/" + value;
    }

    static String text(Row row)
    {
        StringJoiner out = new StringJoiner(" ");
        if (row == null || row.isEmpty())
            return "-";
        LivenessInfo liveness = row.primaryKeyLivenessInfo();
        if (!liveness.isEmpty())
            out.add("L/" + liveness.timestamp() + "/" + liveness.ttl() + "/" + (liveness.isExpiring() ? liveness.localExpirationTime() : 0));
        if (!row.deletion().isLive())
            out.add("D/" + row.deletion().time().markedForDeleteAt() + "/" + row.deletion().time().localDeletionTime());
        for (int column = 5; column <= 6; column++)
        {
            ComplexColumnData data = row.getComplexColumnData(columns[column]);
            if (data != null && !data.complexDeletion().isLive())
                out.add("X/" + column + "/" + data.complexDeletion().markedForDeleteAt() + "/" + data.complexDeletion().localDeletionTime());
        }
        for (int column = 3; column <= 6; column++)
            for (Cell<?> cell : row.cells())
                if (cell.column() == columns[column])
                    out.add(text(cell, column));
        return out.toString();
    }

    static Row merge(List<Row> rows)
    {
        Row.Merger merger = new Row.Merger(rows.size(), true);
        for (int i = 0; i < rows.size(); i++)
            merger.add(i, rows.get(i));
        return merger.merge(DeletionTime.LIVE);
    }

    public static void main(String[] args)
    {
        DatabaseDescriptor.clientInitialization();
        table = TableMetadata.builder("ks", "t").partitioner(Murmur3Partitioner.instance)
                             .addPartitionKeyColumn("k", BytesType.instance).addClusteringColumn("c", BytesType.instance)
                             .addRegularColumn("v3", BytesType.instance).addRegularColumn("v4", BytesType.instance)
                             .addRegularColumn("v5", MapType.getInstance(BytesType.instance, BytesType.instance, true))
                             .addRegularColumn("v6", SetType.getInstance(BytesType.instance, true)).build();
        for (int i = 3; i <= 6; i++)
            columns[i] = table.getColumn(ByteBufferUtil.bytes("v" + i));
        for (int i = 0; i < 700; i++)
        {
            Cell<?> a = cell(3, null), b = cell(3, null);
            String kept = text(Cells.reconcile(a, b), 3);

            if (kept.equals(text(Cells.reconcile(b, a), 3)))
                System.out.println("R\t" + text(a, 3) + "\t" + text(b, 3) + "\t" + kept);
        }
        for (int i = 0; i < 700; i++)
        {
            List<Row> rows = new ArrayList<>();
            for (int n = 2 + random.nextInt(3); n > 0; n--)
                rows.add(row());
            Row merged = merge(rows);
            StringJoiner line = new StringJoiner("\t");
            boolean same = true;

            line.add("M").add(text(merged));
            for (Row row : rows)
                line.add(text(row));
            for (int turn = 1; turn < rows.size(); turn++)
            {
                Collections.rotate(rows, 1);
                same &= text(merge(rows)).equals(text(merged));
            }
            Collections.reverse(rows);
            same &= text(merge(rows)).equals(text(merged));
            if (!same)
                continue; /* equal but for a ttl that nobody sees */
            System.out.println(line);
            if (merged == null)
                continue;
            long now = time() + random.nextInt(3) - 1;
            DeletionTime cover = random.nextInt(2) == 0 ? DeletionTime.LIVE : DeletionTime.build(timestamp(), time());
            Row seen = merged.filter(ColumnFilter.all(table), cover, false, table);
            seen = seen == null ? null : seen.purge(DeletionPurger.PURGE_ALL, now, false);
            System.out.println("H\t" + now + "\t" + (cover.isLive() ? "-" : cover.markedForDeleteAt() + "/" + cover.localDeletionTime()) + "\t" +
                               text(merged) + "\t" + text(seen));
            long gcBefore = now - random.nextInt(3), purgeBefore = random.nextInt(4) == 0 ? Long.MAX_VALUE : timestamp();
            Row left = merged.purge((timestamp, made) -> made < gcBefore && timestamp < purgeBefore, now, false);
            System.out.println("P\t" + now + "\t" + gcBefore + "\t" + purgeBefore + "\t" + text(merged) + "\t" + text(left));
        }
        System.exit(0);
    }
}
