-- Indexes, constraints, sequences' definitions, statistics: each whole difference that must be told.

return {
  { "an index lost",
    "drop index shop.products_sku",
    "index shop.products_sku: CREATE UNIQUE INDEX products_sku ON shop.products USING btree (sku) -> missing" },
  { "an index for some rows only",
    [[drop index audit.events_when;
    create index events_when on audit.events (happened_at) where kind <> 'DELETE']],
    "index audit.events_when: CREATE INDEX events_when ON audit.events USING btree (happened_at) -> CREATE "
      .. "INDEX events_when ON audit.events USING btree (happened_at) WHERE (kind <> 'DELETE'::text)" },
  { "an index that is unique no more",
    "drop index shop.products_sku; create index products_sku on shop.products (sku)",
    "index shop.products_sku: CREATE UNIQUE INDEX products_sku ON shop.products USING btree (sku) -> CREATE "
      .. "INDEX products_sku ON shop.products USING btree (sku)" },
  { "an index that is not valid",
    "update pg_index set indisvalid = false where indexrelid = 'shop.customers_tags'::regclass",
    "index shop.customers_tags: without it -> not valid" },
  { "an index to cluster on",
    "alter table shop.order_items set without cluster",
    "index shop.order_items_pkey: clustered on -> without it" },
  { "an index as the replica identity",
    "alter table shop.products replica identity using index products_pkey",
    "index shop.products_pkey: without it -> replica identity" },
  { "the statistics of an index's expression",
    "alter index shop.customers_email_key alter column 1 set statistics 700",
    "index shop.customers_email_key: without it -> statistics of column 1: 700" },
  { "a primary key lost",
    "alter table public.schema_migrations drop constraint schema_migrations_pkey",
    "index public.schema_migrations_pkey: CREATE UNIQUE INDEX schema_migrations_pkey ON "
      .. "public.schema_migrations USING btree (version) -> missing",
    "primary key public.schema_migrations schema_migrations_pkey: PRIMARY KEY (version) -> missing" },
  { "a constraint that is deferrable no more",
    "alter table shop.departments alter constraint head_works_here not deferrable",
    "foreign key shop.departments head_works_here: FOREIGN KEY (head_id) REFERENCES shop.employees(id) "
      .. "DEFERRABLE INITIALLY DEFERRED -> FOREIGN KEY (head_id) REFERENCES shop.employees(id)" },
  { "a constraint that is checked at once",
    [[alter table shop.departments
    alter constraint head_works_here deferrable initially immediate]],
    "foreign key shop.departments head_works_here: FOREIGN KEY (head_id) REFERENCES shop.employees(id) "
      .. "DEFERRABLE INITIALLY DEFERRED -> FOREIGN KEY (head_id) REFERENCES shop.employees(id) DEFERRABLE" },
  { "a constraint that was never validated",
    [[alter table shop.products drop constraint products_price_check,
    add constraint products_price_check check (price >= 0) not valid]],
    "check shop.products products_price_check: CHECK ((price >= (0)::numeric)) -> CHECK ((price >= "
      .. "(0)::numeric)) NOT VALID" },
  { "a constraint that was validated",
    [[alter table shop.order_items validate constraint "items → products"]],
    [[foreign key shop.order_items "items → products": FOREIGN KEY (product_id) REFERENCES shop.products(id) ]]
      .. "NOT VALID -> FOREIGN KEY (product_id) REFERENCES shop.products(id)" },
  { "the triggers that keep foreign and unique keys disabled",
    "alter table shop.employees disable trigger all",
    "triggers of a key shop.departments head_works_here: missing -> shop.employees: disabled",
    "triggers of a key shop.employees employees_department_id_fkey: missing -> shop.employees: disabled",
    "triggers of a key shop.employees employees_desk_key: missing -> shop.employees: disabled",
    "triggers of a key shop.employees employees_manager_id_fkey: missing -> shop.employees: disabled" },
  { "the triggers that keep a foreign key disabled on one partition",
    "alter table shop.orders_2025 disable trigger all",
    [[trigger shop.orders_2025 "quiet one": missing -> disabled]],
    "triggers of a key shop.orders_2025 orders_customer_id_fkey: missing -> shop.orders_2025: disabled" },
  { "a check that was valid where it was inherited",
    [[alter table public.above drop constraint positive;
    alter table public.above add constraint positive check (a > 0) not valid]],
    "warn check public.below positive: CHECK ((a > 0)) validated here alone -> CHECK ((a > 0)) NOT VALID",
    "warn check public.middle positive: CHECK ((a > 0)) validated here alone -> CHECK ((a > 0)) NOT VALID" },
  { "another check",
    [[alter table shop.products drop constraint products_price_check,
    add constraint products_price_check check (price > -1)]],
    "check shop.products products_price_check: CHECK ((price >= (0)::numeric)) -> CHECK ((price > "
      .. "('-1'::integer)::numeric))" },
  { "a check that is inherited",
    [[alter table shop.employees drop constraint employees_salary_check,
    add constraint employees_salary_check check (salary > 0)]],
    "check shop.employees employees_salary_check: CHECK ((salary > (0)::numeric)) NO INHERIT -> CHECK ((salary "
      .. "> (0)::numeric))" },
  { "another ON DELETE",
    [[alter table shop.employees drop constraint employees_manager_id_fkey,
    add constraint employees_manager_id_fkey foreign key (manager_id) references shop.employees on delete cascade]],
    "foreign key shop.employees employees_manager_id_fkey: FOREIGN KEY (manager_id) REFERENCES "
      .. "shop.employees(id) ON DELETE SET NULL -> FOREIGN KEY (manager_id) REFERENCES shop.employees(id) ON "
      .. "DELETE CASCADE" },
  { "a foreign key of a partitioned table",
    "alter table shop.orders drop constraint orders_customer_id_fkey",
    "foreign key shop.orders orders_customer_id_fkey: FOREIGN KEY (customer_id) REFERENCES shop.customers(id) "
      .. "-> missing" },
  { "a unique constraint lost",
    "alter table shop.departments drop constraint departments_name_key",
    "index shop.departments_name_key: CREATE UNIQUE INDEX departments_name_key ON shop.departments USING btree "
      .. "(name) -> missing",
    "unique constraint shop.departments departments_name_key: UNIQUE (name) -> missing" },
  { "an exclusion for other rows",
    [[alter table public.bookings drop constraint bookings_during_excl,
    add constraint bookings_during_excl exclude using gist (during with &&) where (room = 2)]],
    "exclusion public.bookings bookings_during_excl: EXCLUDE USING gist (during WITH &&) WHERE ((room = 1)) -> "
      .. "EXCLUDE USING gist (during WITH &&) WHERE ((room = 2))",
    "index public.bookings_during_excl: CREATE INDEX bookings_during_excl ON public.bookings USING gist "
      .. "(during) WHERE (room = 1) -> CREATE INDEX bookings_during_excl ON public.bookings USING gist "
      .. "(during) WHERE (room = 2)" },
  { "a constraint trigger that is checked at once",
    [[drop trigger still_there on shop.departments;
    create constraint trigger still_there after delete on shop.departments
    for each row execute function audit.note_change()]],
    "constraint trigger shop.departments still_there: TRIGGER DEFERRABLE INITIALLY DEFERRED -> TRIGGER",
    "trigger shop.departments still_there: CREATE CONSTRAINT TRIGGER still_there AFTER DELETE ON "
      .. "shop.departments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.note_change() -> "
      .. "CREATE CONSTRAINT TRIGGER still_there AFTER DELETE ON shop.departments NOT DEFERRABLE INITIALLY "
      .. "IMMEDIATE FOR EACH ROW EXECUTE FUNCTION audit.note_change()" },
  { "a sequence's step and cache",
    "alter sequence shop.invoice_number increment 1 cache 1",
    "sequence shop.invoice_number: as bigint start 100000 increment 5 minvalue 1 maxvalue 9223372036854775807 "
      .. "cache 10 -> as bigint start 100000 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1" },
  { "a sequence's type, bounds and cycle",
    [[alter sequence "weird %names"."never used" as integer maxvalue 100 no cycle]],
    [[sequence "weird %names"."never used": as bigint start 42 increment 1 minvalue 1 maxvalue 99 cache 1 cycle ]]
      .. "-> as integer start 42 increment 1 minvalue 1 maxvalue 100 cache 1" },
  { "a sequence that a crash empties",
    "alter sequence shop.alone set unlogged",
    "sequence shop.alone: as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 -> "
      .. "unlogged as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1" },
  { "a sequence that no column owns",
    "alter sequence shop.products_id_seq owned by none",
    "sequence shop.products_id_seq: as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 "
      .. "cache 1 owned by shop.products.id -> as bigint start 1 increment 1 minvalue 1 maxvalue "
      .. "9223372036854775807 cache 1" },
  { "statistics lost",
    "drop statistics shop.orders_together",
    "comment statistics object shop.orders_together: a new order has a new customer -> missing",
    "statistics shop.orders_together: CREATE STATISTICS shop.orders_together (dependencies, mcv) ON "
      .. "customer_id, status FROM shop.orders -> missing" },
  { "statistics of another kind",
    [[drop statistics shop.orders_together;
    create statistics shop.orders_together (mcv) on customer_id, status from shop.orders]],
    "comment statistics object shop.orders_together: a new order has a new customer -> missing",
    "statistics shop.orders_together: CREATE STATISTICS shop.orders_together (dependencies, mcv) ON "
      .. "customer_id, status FROM shop.orders -> CREATE STATISTICS shop.orders_together (mcv) ON customer_id, "
      .. "status FROM shop.orders" },
  { "the target of statistics",
    "alter statistics shop.orders_together set statistics 50",
    "statistics shop.orders_together: without it -> statistics 50" },
}
