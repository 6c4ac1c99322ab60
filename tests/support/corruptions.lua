-- What can go wrong with a moved database, as data: for each a title, the statements that do it (by the superuser), and
-- the differences that must be told, in order, and no others. The lists are in corruptions/.

local corruptions = {}

-- In both databases before they are compared.
corruptions.BY_SUPERUSER = [[
  create foreign data wrapper paper options (debug 'yes');
  create server archive type 'box' foreign data wrapper paper options (host 'cellar', password 'geheim');
  create foreign table public.receipts (id integer options (place 'left') not null) server archive
    options (shelf '3', api_key 'geheim');
  create table public.split (a integer, b integer) partition by list (a);
  create operator class shop.by_city for type shop.address using btree family pg_catalog.text_ops as
    storage shop.address;
  create access method pile type table handler heap_tableam_handler;
  create language plain handler plpgsql_call_handler;
  create operator family shop.cities using hash;
  create text search template shop.simplest (lexize = dsimple_lexize);
  create text search parser shop.words (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end,
    lextypes = prsd_lextype);
  create type shop.ink;
  create function shop.ink_in(cstring) returns shop.ink language internal immutable as 'textin';
  create function shop.ink_out(shop.ink) returns cstring language internal immutable as 'textout';
  create type shop.ink (input = shop.ink_in, output = shop.ink_out);
  create function shop.into_plain(internal) returns internal language internal immutable as 'prsd_end';
  create type shop.later;
  create type shop.hours as range (subtype = time);
  select lo_create(77);
  comment on large object 77 is 'low';
  create aggregate shop.summed(integer) (sfunc = int4pl, stype = integer, msfunc = int4pl, minvfunc = int4mi,
    mstype = integer, msspace = 16, mfinalfunc = int4abs, mfinalfunc_modify = read_only);
  create sequence shop.alone;
  alter function shop.normalise(text) depends on extension hstore;
  create table public.above (a integer);
  alter table public.above add constraint positive check (a > 0) not valid;
  create table public.middle () inherits (public.above);
  create table public.below () inherits (public.middle);
  create transform for shop.ink language plain (from sql with function shop.into_plain(internal));
]]

-- Settings of the moved database alone, which must not show.
corruptions.SETTINGS = [[
  alter database restored set quote_all_identifiers = on;
  alter database restored set standard_conforming_strings = off;
  alter database restored set timezone = 'Asia/Tokyo';
  alter database restored set datestyle = 'SQL, DMY';
  alter database restored set intervalstyle = 'iso_8601';
  alter database restored set bytea_output = 'escape';
  alter database restored set extra_float_digits = 0;
  alter database restored set search_path = shop, public;
]]

corruptions.ROWS = require "support.corruptions.rows"
corruptions.OBJECTS = {}
for _, name in ipairs { "tables", "keys", "code", "types" } do
  for _, each in ipairs(require("support.corruptions." .. name)) do
    corruptions.OBJECTS[#corruptions.OBJECTS + 1] = each
  end
end

return corruptions
