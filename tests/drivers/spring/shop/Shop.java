package shop;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.actuate.health.HealthEndpoint;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.dao.OptimisticLockingFailureException;
import org.springframework.data.cassandra.core.CassandraTemplate;
import org.springframework.data.cassandra.core.InsertOptions;
import org.springframework.data.cassandra.core.mapping.BasicMapId;
import org.springframework.data.cassandra.core.mapping.MapId;
import org.springframework.data.cassandra.core.query.CassandraPageRequest;
import org.springframework.data.domain.Slice;

/** What an application of Spring Data does in its life; each line it prints is a fact, which tests/drivers/spring.py judges. */
@SpringBootApplication
public class Shop {
    private static final LocalDate FIRST = LocalDate.of(2026, 1, 1);
    private static final int MANY = 250;

    private static void say(String what, Object value) {
        System.out.println("fact " + what + " = " + value);
    }

    private static MapId idOf(Order order) {
        return BasicMapId.id("customer", order.getCustomer()).with("day", order.getDay()).with("id", order.getId());
    }

    private static void saveAndFind(Orders orders) {
        Order order = orders.save(new Order("ada", FIRST, 1, "19.90"));
        Order found = orders.findById(idOf(order)).orElseThrow();

        say("version of a new one", order.getVersion());
        say("total", found.getTotal());
        say("placed", found.getPlaced());
        say("tags", new TreeSet<>(found.getTags()));
        say("notes", found.getNotes());
        say("lines", new TreeMap<>(found.getLines()));
        say("address", found.getAddress().getStreet() + " " + found.getAddress().getNumber());
        say("exists", orders.existsById(idOf(order)));
    }

    private static void lockOptimistically(Orders orders) {
        Order mine = orders.findById(idOf(new Order("ada", FIRST, 1, "0"))).orElseThrow();
        Order other = orders.findById(idOf(mine)).orElseThrow();

        mine.setTotal(new BigDecimal("20.00"));
        say("version of a changed one", orders.save(mine).getVersion());
        other.setTotal(new BigDecimal("99.00"));
        try {
            orders.save(other);
            say("a stale one", "was saved");
        } catch (OptimisticLockingFailureException e) {
            say("a stale one", "was refused");
        }
        try {
            orders.insert(new Order("ada", FIRST, 1, "1.00"));
            say("a second one", "was inserted");
        } catch (OptimisticLockingFailureException e) {
            say("a second one", "was refused");
        }
        say("total after both", orders.findById(idOf(mine)).orElseThrow().getTotal());
    }

    private static void page(Orders orders, CassandraTemplate template) {
        List<Order> many = new ArrayList<>();
        List<Integer> sizes = new ArrayList<>();
        List<LocalDate> days = new ArrayList<>();

        for (int i = 0; i < MANY; i++)
            many.add(new Order("bob", FIRST.plusDays(i), i, "1.50"));
        for (int i = 0; i < MANY; i += 50)
            template.batchOps().insert(many.subList(i, i + 50)).execute();
        Slice<Order> slice = orders.findByCustomer("bob", CassandraPageRequest.first(100));
        while (true) {
            sizes.add(slice.getNumberOfElements());
            slice.forEach(order -> days.add(order.getDay()));
            if (!slice.hasNext())
                break;
            slice = orders.findByCustomer("bob", slice.nextPageable());
        }
        say("pages", sizes);
        say("newest and oldest", days.get(0) + " " + days.get(days.size() - 1));
        say("count", orders.countByCustomer("bob"));
        say("sum", orders.totalOf("bob"));
        say("from a day on", orders.findByCustomerAndDayGreaterThanEqual("bob", FIRST.plusDays(MANY - 3)).size());
        say("filtered", orders.findByTotal(new BigDecimal("20.00")).size());
        say("of everybody", orders.count());
    }

    private static void expireAndDelete(Orders orders, CassandraTemplate template) {
        Order brief = new Order("eve", FIRST, 1, "3.00"), gone = new Order("eve", FIRST, 2, "4.00");

        template.insert(brief, InsertOptions.builder().ttl(Duration.ofHours(1)).withIfNotExists().build());
        say("seconds left", template.getCqlOperations().queryForObject("SELECT ttl(total) FROM orders WHERE customer = 'eve'", Integer.class) > 3500);
        orders.delete(orders.save(gone));
        say("after a delete", orders.countByCustomer("eve"));
    }

    public static void main(String[] args) {
        try (ConfigurableApplicationContext context = SpringApplication.run(Shop.class, args)) {
            Orders orders = context.getBean(Orders.class);
            CassandraTemplate template = context.getBean(CassandraTemplate.class);

            say("health", context.getBean(HealthEndpoint.class).healthForPath("cassandra").getStatus());
            saveAndFind(orders);
            lockOptimistically(orders);
            page(orders, template);
            expireAndDelete(orders, template);
        }
    }
}
