package shop;

import static org.springframework.data.cassandra.core.cql.Ordering.DESCENDING;
import static org.springframework.data.cassandra.core.cql.PrimaryKeyType.CLUSTERED;
import static org.springframework.data.cassandra.core.cql.PrimaryKeyType.PARTITIONED;

import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.springframework.data.annotation.Version;
import org.springframework.data.cassandra.core.mapping.PrimaryKeyColumn;
import org.springframework.data.cassandra.core.mapping.Table;

/** Of its collections and types Spring makes the table. The version is what optimistic locking compares. */
@Table("orders")
public class Order {
    @PrimaryKeyColumn(ordinal = 0, type = PARTITIONED)
    private String customer;
    @PrimaryKeyColumn(ordinal = 1, type = CLUSTERED, ordering = DESCENDING)
    private LocalDate day;
    @PrimaryKeyColumn(ordinal = 2, type = CLUSTERED)
    private UUID id;
    private BigDecimal total;
    private Instant placed;
    private Set<String> tags;
    private List<String> notes;
    private Map<String, Integer> lines;
    private Address address;
    @Version
    private Long version;

    public Order() {}

    public Order(String customer, LocalDate day, int number, String total) {
        this.customer = customer;
        this.day = day;
        this.id = new UUID(0, number);
        this.total = new BigDecimal(total);
        this.placed = Instant.ofEpochMilli(1_700_000_000_000L + number);
        this.tags = Set.of("new", "n" + number);
        this.notes = List.of("one", "two", "one");
        this.lines = Map.of("apple", number, "pear", 2);
        this.address = new Address("Main", number);
    }

    public String getCustomer() { return customer; }
    public void setCustomer(String customer) { this.customer = customer; }
    public LocalDate getDay() { return day; }
    public void setDay(LocalDate day) { this.day = day; }
    public UUID getId() { return id; }
    public void setId(UUID id) { this.id = id; }
    public BigDecimal getTotal() { return total; }
    public void setTotal(BigDecimal total) { this.total = total; }
    public Instant getPlaced() { return placed; }
    public void setPlaced(Instant placed) { this.placed = placed; }
    public Set<String> getTags() { return tags; }
    public void setTags(Set<String> tags) { this.tags = tags; }
    public List<String> getNotes() { return notes; }
    public void setNotes(List<String> notes) { this.notes = notes; }
    public Map<String, Integer> getLines() { return lines; }
    public void setLines(Map<String, Integer> lines) { this.lines = lines; }
    public Address getAddress() { return address; }
    public void setAddress(Address address) { this.address = address; }
    public Long getVersion() { return version; }
    public void setVersion(Long version) { this.version = version; }
}
