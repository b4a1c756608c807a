package shop;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.List;
import org.springframework.data.cassandra.core.mapping.MapId;
import org.springframework.data.cassandra.repository.AllowFiltering;
import org.springframework.data.cassandra.repository.CassandraRepository;
import org.springframework.data.cassandra.repository.Query;
import org.springframework.data.domain.Pageable;
import org.springframework.data.domain.Slice;

public interface Orders extends CassandraRepository<Order, MapId> {
    Slice<Order> findByCustomer(String customer, Pageable page);

    List<Order> findByCustomerAndDayGreaterThanEqual(String customer, LocalDate day);

    @AllowFiltering
    List<Order> findByTotal(BigDecimal total);

    long countByCustomer(String customer);

    @Query("SELECT sum(total) FROM orders WHERE customer = ?0")
    BigDecimal totalOf(String customer);
}
