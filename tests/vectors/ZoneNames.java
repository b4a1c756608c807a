/* Writes src/types/zone_names.inc: the names of time zones that Java's DateTimeFormatter takes for "z" and "zzzz", as Cassandra parses
 * timestamps with them, and the zone that it makes of each. Names that are their zone's own are not written; nor are zones' own names that
 * begin with those of UTC and go on with an offset, which are read as such.
 *
 *     java tests/vectors/ZoneNames.java > src/types/zone_names.inc
 */
import java.io.File;
import java.text.DateFormatSymbols;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.TextStyle;
import java.util.Locale;
import java.util.TimeZone;
import java.util.TreeSet;

public class ZoneNames {
    static final DateTimeFormatter[] FORMATS = { of("z"), of("zzzz") };

    static DateTimeFormatter of(String pattern) {
        return new DateTimeFormatterBuilder().appendPattern(pattern).toFormatter(Locale.ENGLISH);
    }

    static ZoneId zone(String name) {
        for (DateTimeFormatter format : FORMATS)
            try {
                return ZoneId.from(format.parse(name));
            } catch (RuntimeException e) {
                continue;
            }
        return null;
    }

    /* SystemV/PST8 is a zone of Java's alone: one of the same rules. */
    static String known(String id) {
        if (new File("/usr/share/zoneinfo/" + id).exists())
            return id;
        for (String other : new TreeSet<>(ZoneId.getAvailableZoneIds()))
            if (!other.equals(id) && ZoneId.of(other).getRules().equals(ZoneId.of(id).getRules()) &&
                new File("/usr/share/zoneinfo/" + other).exists())
                return other;
        return null;
    }

    public static void main(String[] arguments) {
        TreeSet<String> names = new TreeSet<>();
        for (String[] row : DateFormatSymbols.getInstance(Locale.ENGLISH).getZoneStrings())
            for (String name : row)
                names.add(name);
        for (String id : TimeZone.getAvailableIDs())
            for (boolean summer : new boolean[] { false, true })
                for (int style : new int[] { TimeZone.SHORT, TimeZone.LONG })
                    names.add(TimeZone.getTimeZone(id).getDisplayName(summer, style, Locale.ENGLISH));
        for (String id : ZoneId.getAvailableZoneIds()) {
            names.add(id);
            for (TextStyle style : TextStyle.values())
                names.add(ZoneId.of(id).getDisplayName(style, Locale.ENGLISH));
        }
        System.out.println("/* Written by tests/vectors/ZoneNames.java with Java " + System.getProperty("java.version") + ": names, sorted by their bytes, and zones; no zone: Java takes the name for none. */");
        for (String name : names) {
            ZoneId zone = name.isEmpty() || !name.chars().allMatch(c -> c < 128) ? null : zone(name);
            boolean isId = ZoneId.getAvailableZoneIds().contains(name);
            String id = zone == null ? null : known(zone.getId());
            if (name.matches("GMT[+-].*"))
                continue;
            if (id == null ? isId : !id.equals(name))
                System.out.println("{ \"" + name + "\", " + (id == null ? "NULL" : "\"" + id + "\"") + " },");
        }
    }
}
