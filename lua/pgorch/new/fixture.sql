-- The database that the tests move. Put into it what yours has: the types, the indexes, the odd names. A few hundred
-- rows are enough. It is loaded by psql as the database's owner, who is no superuser.
create schema shop;

create table shop.customers (
  id    bigint generated always as identity primary key,
  email text not null unique,
  since date not null
);

create table shop.products (
  sku   text primary key,
  name  text not null,
  price numeric(10, 2) not null check (price >= 0)
);

create table shop.orders (
  id       bigint generated always as identity primary key,
  customer bigint not null references shop.customers,
  placed   timestamptz not null,
  note     jsonb
);

create table shop.order_items (
  "order"  bigint references shop.orders,
  sku      text references shop.products,
  quantity integer not null,
  primary key ("order", sku)
);

create index on shop.orders (customer, placed desc);

create sequence shop.invoice_number start 1000;

create view shop.spent as
  select o.customer, sum(i.quantity * p.price) as total
  from shop.orders o join shop.order_items i on i."order" = o.id join shop.products p using (sku)
  group by o.customer;

insert into shop.customers (email, since)
  select case when i % 10 = 0 then 'Person.' else 'person.' end || i || '@example.test', date '2024-01-01' + i
  from generate_series(1, 200) i;
insert into shop.products select 'sku-' || i, 'Product ' || i, i * 1.25 from generate_series(1, 50) i;
insert into shop.orders (customer, placed, note)
  select i % 200 + 1, timestamptz '2025-01-01 12:00+00' + i * interval '7 hours', jsonb_build_object('gift', i % 3 = 0)
  from generate_series(1, 500) i;
insert into shop.order_items select i, 'sku-' || (i % 50 + 1), i % 5 + 1 from generate_series(1, 500) i;
select nextval('shop.invoice_number') from generate_series(1, 42);
