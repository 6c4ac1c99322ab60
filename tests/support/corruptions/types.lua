-- Types, operators, languages, extensions, comments: each whole difference that must be told.

return {
  { "one more label of an enum",
    "alter type shop.order_status add value 'lost'",
    "enum shop.order_status: 'new', 'paid', 'shipped', 'returned', 'on hold', 'gelöscht' -> 'new', 'paid', "
      .. "'shipped', 'returned', 'on hold', 'gelöscht', 'lost'" },
  { "labels in another order",
    [[alter type shop.order_status rename value 'paid' to 'p';
    alter type shop.order_status rename value 'shipped' to 'paid';
    alter type shop.order_status rename value 'p' to 'shipped']],
    "enum shop.order_status: 'new', 'paid', 'shipped', 'returned', 'on hold', 'gelöscht' -> 'new', 'shipped', "
      .. "'paid', 'returned', 'on hold', 'gelöscht'" },
  { "a domain's check",
    [[alter domain shop.email drop constraint email_has_at;
    alter domain shop.email add constraint email_has_at check (value like '%@%')]],
    "comment domain constraint email_has_at on shop.email: one @, no blanks -> missing",
    "domain constraint shop.email email_has_at: CHECK ((VALUE ~ '^[^@[:space:]]+@[^@[:space:]]+$'::text)) -> "
      .. "CHECK ((VALUE ~~ '%@%'::text))" },
  { "a domain's default and NOT NULL",
    "alter domain shop.percentage drop default; alter domain shop.emails drop not null",
    "domain shop.emails: shop.email[] not null default '{}'::shop.email[] -> shop.email[] default "
      .. "'{}'::shop.email[]",
    "domain shop.percentage: numeric(5,2) default 0 -> numeric(5,2)" },
  { "an attribute of a composite",
    [[update pg_attribute set atttypmod = 7
    where attrelid = 'shop.address'::regclass and attname = 'country']],
    [[composite type shop.address: street text, "Postleitzahl" text, city text, country character(2) -> street ]]
      .. [[text, "Postleitzahl" text, city text, country character(3)]] },
  { "a range more",
    "create type shop.more as range (subtype = date)",
    "range shop.more: missing -> of date opclass pg_catalog.date_ops" },
  { "a multirange of another name",
    "alter type shop.hours_multirange rename to times",
    "range shop.hours: of time without time zone opclass pg_catalog.time_ops -> of time without time zone opclass "
      .. "pg_catalog.time_ops multirange shop.times" },
  { "a shell of a type lost",
    "drop type shop.later",
    "shell type shop.later: there -> missing" },
  { "a base type with its functions lost",
    "drop type shop.ink cascade",
    "base type shop.ink: input shop.ink_in output shop.ink_out length -1 -> missing",
    "function shop.ink_in(cstring): CREATE OR REPLACE FUNCTION shop.ink_in(cstring) RETURNS shop.ink LANGUAGE "
      .. "internal IMMUTABLE AS $function$textin$function$ -> missing",
    "function shop.ink_out(shop.ink): CREATE OR REPLACE FUNCTION shop.ink_out(shop.ink) RETURNS cstring "
      .. "LANGUAGE internal IMMUTABLE AS $function$textout$function$ -> missing",
    "transform for shop.ink language plain: shop.into_plain(internal) - -> missing" },
  { "an operator without its commutator",
    [[drop operator shop.~~~ (shop.address, shop.address);
    create operator shop.~~~ (leftarg = shop.address, rightarg = shop.address, function = shop.same_city)]],
    "comment operator shop.~~~(shop.address,shop.address): the same city -> missing",
    "operator shop.~~~(shop.address,shop.address): function shop.same_city(shop.address,shop.address), returns "
      .. "boolean, commutator shop.~~~(shop.address,shop.address), restrict eqsel, join eqjoinsel -> function "
      .. "shop.same_city(shop.address,shop.address), returns boolean" },
  { "a cast that is implicit",
    [[drop cast (shop.address as text);
    create cast (shop.address as text) with function shop.in_one_line(shop.address) as implicit]],
    "cast (shop.address AS text): with function shop.in_one_line(shop.address) as assignment -> with function "
      .. "shop.in_one_line(shop.address) as implicit",
    "comment cast (shop.address AS pg_catalog.text): one line -> missing" },
  { "an operator class lost",
    "drop operator class shop.by_city using btree",
    "operator class shop.by_city using btree: for shop.address family text_ops -> missing" },
  { "a function of an operator family",
    [[alter operator family shop.cities using hash
    add function 1 (text) pg_catalog.hashtext(text)]],
    "operator family shop.cities using hash: nothing -> function 1 (text, text) hashtext(text)" },
  { "a collation of another locale",
    "drop collation shop.by_bytes; create collation shop.by_bytes (provider = libc, locale = 'POSIX')",
    "collation shop.by_bytes: libc C C -> libc POSIX POSIX" },
  { "a conversion lost",
    "drop conversion shop.from_latin",
    "conversion shop.from_latin: LATIN1 to UTF8 iso8859_1_to_utf8 -> missing" },
  { "words that are looked up elsewhere",
    "alter text search configuration shop.goods alter mapping for word with pg_catalog.simple",
    "text search configuration shop.goods: word: shop.plain, english_stem -> word: simple" },
  { "a dictionary's option",
    "alter text search dictionary shop.plain (accept = true)",
    "text search dictionary shop.plain: template pg_catalog.simple accept = 'false' -> template "
      .. "pg_catalog.simple accept = 'true'" },
  { "a parser and a template of text search lost",
    "drop text search parser shop.words; drop text search template shop.simplest",
    "text search parser shop.words: prsd_start prsd_nexttoken prsd_end -> missing",
    "text search template shop.simplest: dsimple_lexize -> missing" },
  { "a language lost",
    "drop language plain cascade",
    "language plain: plpgsql_call_handler -> missing",
    "transform for shop.ink language plain: shop.into_plain(internal) - -> missing" },
  { "a transform lost",
    "drop transform for shop.ink language plain",
    "transform for shop.ink language plain: shop.into_plain(internal) - -> missing" },
  { "an access method lost",
    "drop access method pile",
    "access method pile: t heap_tableam_handler -> missing" },
  { "a foreign server's password",
    "alter server archive options (set password 'hemligt')",
    "foreign server archive: wrapper paper type 'box' options host 'cellar', password (secret addb) -> wrapper "
      .. "paper type 'box' options host 'cellar', password (secret 033e)" },
  { "a foreign data wrapper's option",
    "alter foreign data wrapper paper options (set debug 'no')",
    "foreign data wrapper paper: options debug 'yes' -> options debug 'no'" },
  { "an extension lost",
    "drop extension tablefunc cascade",
    "extension tablefunc: schema public, version 1.0 -> missing",
    "materialized view shop.sales_pivot: populated SELECT month, new, paid, shipped, returned, held, deleted "
      .. "FROM public.crosstab('SELECT month::date, status, orders FROM shop.sales_by_month ORDER BY 1... (and "
      .. "7 columns, keys and the like) -> missing" },
  { "an extension in another schema",
    [[alter extension "uuid-ossp" set schema shop]],
    "column shop.customers.public_id: uuid not null default public.uuid_generate_v4() -> uuid not null default "
      .. "shop.uuid_generate_v4()",
    [[extension "uuid-ossp": schema public, version 1.1 -> schema shop, version 1.1]] },
  { "a comment lost",
    "comment on index shop.orders_open is null",
    "comment index shop.orders_open: partial -> missing" },
  { "another comment",
    [[comment on column "Über Uns"."Filialen"."ünïcode ☃ colümn" is 'x']],
    [[comment table column "Über Uns"."Filialen"."ünïcode ☃ colümn": colümn ☃ -> x]] },
  { "a large object's comment",
    "comment on large object 900003 is 'three'",
    "comment large object 900003: two bytes -> three" },
  { "the comment of a large object with a low number",
    "comment on large object 77 is 'lower'",
    "comment large object 77: low -> lower" },
  { "what went with an extension",
    "alter function shop.normalise(text) no depends on extension hstore",
    "extension dependency function shop.normalise(pg_catalog.text) on hstore: there -> missing" },
}
