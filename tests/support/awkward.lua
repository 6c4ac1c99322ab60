-- A database of what is easily lost on the way, as SQL: names, columns, tables without any, partitions, inheritance,
-- large objects, row security, and an extension's table of which some rows are the user's.

local awkward = {}

awkward.SOURCE = [==[
  create schema "a ""b"" % ü";
  set search_path = "a ""b"" % ü";
  create table "T %s" (id integer generated always as identity primary key, "c, (d)" text, e text generated always as
    (upper("c, (d)")) stored, "line
break" integer default 7);
  insert into "T %s" ("c, (d)") select 'x' || n || chr(9) || '\' from generate_series(1, 500) n;
  insert into "T %s" ("c, (d)", "line
break") values (null, null), ('', 0), (E'\\N', 1), (E'\\.', 2), (E'a\nb\r', 3);
  create table nothing ();
  insert into nothing default values;
  insert into nothing default values;
  create table generated_only (n integer generated always as (1) stored);
  insert into generated_only default values;
  create table empty (n integer);
  -- A circle of foreign keys, and one to itself.
  create table hen (id integer primary key, egg integer, mother integer references hen);
  create table egg (id integer primary key, hen integer references hen);
  alter table hen add foreign key (egg) references egg deferrable initially deferred;
  begin;
  insert into hen select n, n, case when n > 1 then n - 1 end from generate_series(1, 100) n;
  insert into egg select n, n from generate_series(1, 100) n;
  commit;
  -- Partitions that refer to partitions, with a trigger on the whole that must not fire.
  create table parts (id integer, at integer, primary key (id, at)) partition by range (at);
  create table parts_1 partition of parts for values from (0) to (100);
  create table parts_2 partition of parts for values from (100) to (200) partition by hash (id);
  create table parts_2a partition of parts_2 for values with (modulus 2, remainder 0);
  create table parts_2b partition of parts_2 for values with (modulus 2, remainder 1);
  create index on parts (at desc);
  create table refers (id integer, at integer, foreign key (id, at) references parts) partition by list (at);
  create table refers_rest partition of refers default;
  insert into parts select n, n % 200 from generate_series(1, 3000) n;
  insert into refers select * from parts;
  create table fired (what text);
  create function fire() returns trigger language plpgsql as
    $$begin insert into "a ""b"" % ü".fired values (tg_name); return new; end$$;
  create trigger fires after insert on refers for each row execute function fire();
  create rule "not twice" as on insert to egg do also insert into "a ""b"" % ü".fired values ('rule');
  -- Two parents; a parent with rows of its own, and keys that children have not.
  create table red (n integer primary key);
  create table blue (m text);
  create table purple (o date) inherits (red, blue);
  insert into red values (1);
  insert into purple values (1, 'both', '2020-02-02');
  create unlogged table fleeting as select n from generate_series(1, 10) n;
  create materialized view "first" as select n from fleeting;
  create materialized view "second" as select count(*) from "first";
  create unique index on "first" (n);
  create materialized view unfilled as select 1 as one with no data;
  create role larry;
  select lo_from_bytea(4000001, ''), lo_from_bytea(4000002, 'small'),
         lo_from_bytea(4000003, convert_to(repeat('0123456789abcdef', 200000), 'UTF8'));
  alter large object 4000002 owner to larry;
  comment on large object 4000003 is 'three megabytes';
  create sequence counts start 5; select nextval('counts'), nextval('counts');
  create sequence untouched minvalue -3 increment -1 maxvalue 7;
  create statistics both_columns on id, at from parts;
  create table hidden (n integer); insert into hidden values (1);
  alter table hidden enable row level security; alter table hidden force row level security;
  create policy nobody on hidden using (false);
  comment on index parts_at_idx is 'descending';
  -- A row here and there in many pages, and toasted ones.
  create table wide as select n, repeat(md5(n::text), 300) as text from generate_series(1, 2000) n;
  alter table wide alter column text set storage external;
  update wide set text = text || 'x' where n % 3 = 0;
  delete from wide where n % 5 = 0;
  -- An extension's table of which some rows are the user's.
  create extension hstore schema public;
  create table settings (name text, own boolean);
  insert into settings values ('theirs', false), ('ours', true);
  alter extension hstore add table settings;
  update pg_extension set extconfig = array['settings'::regclass::oid], extcondition = array['where own']
    where extname = 'hstore';
]==]

-- For the target: as CREATE EXTENSION would have left it.
awkward.EXTENSION = [==[
  create extension hstore schema public;
  create schema "a ""b"" % ü";
  create table "a ""b"" % ü".settings (name text, own boolean);
  insert into "a ""b"" % ü".settings values ('theirs', false);
  alter extension hstore add table "a ""b"" % ü".settings;
]==]

return awkward
