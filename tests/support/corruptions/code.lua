-- Functions, triggers, rules, policies, views: each whole difference that must be told.

return {
  { "a function's body",
    [[create or replace function shop.pay() returns trigger language plpgsql as
    $$begin return old; end$$]],
    "function shop.pay(): line 4: AS $function$ -> line 4: AS $function$begin return old; end$function$" },
  { "a line of a function's body",
    [[do $do$ begin
    execute replace(pg_get_functiondef('audit.note_change()'::regprocedure), 'clock_timestamp()', 'now()');
    end $do$]],
    "function audit.note_change(): line 9: VALUES (clock_timestamp(), tg_op, tg_table_schema || '.' || "
      .. "tg_table_name, to_jsonb(coalesce(new, old))); -> line 9: VALUES (now(), tg_op, tg_table_schema || "
      .. "'.' || tg_table_name, to_jsonb(coalesce(new, old)));" },
  { "a function's volatility",
    "alter function shop.normalise(text) stable",
    "function shop.normalise(text): line 4: IMMUTABLE PARALLEL SAFE STRICT -> line 4: STABLE PARALLEL SAFE "
      .. "STRICT" },
  { "a function that is a security definer no more",
    "alter function audit.note_change() security invoker",
    "function audit.note_change(): line 4: SECURITY DEFINER -> without it" },
  { "a function's own setting",
    "alter function audit.note_change() reset search_path",
    "function audit.note_change(): line 5: SET search_path TO 'pg_catalog' -> without it" },
  { "a function's cost",
    "alter function shop.in_one_line(shop.address) cost 100",
    "function shop.in_one_line(shop.address): line 4: IMMUTABLE COST 7 -> line 4: IMMUTABLE" },
  { "a function of other arguments",
    "create function shop.gross(a text) returns text language sql as 'select a'",
    "function shop.gross(text): missing -> CREATE OR REPLACE FUNCTION shop.gross(a text) RETURNS text LANGUAGE "
      .. "sql AS $function$select a$function$" },
  { "a procedure lost",
    "drop procedure shop.restock(bigint, integer)",
    "comment procedure shop.restock(bigint,integer): what came back -> missing",
    "procedure shop.restock(bigint,integer): CREATE OR REPLACE PROCEDURE shop.restock(product bigint, amount "
      .. "integer) LANGUAGE plpgsql AS $procedure$ BEGIN UPDATE shop.products SET stock = stock + amount W... "
      .. "-> missing" },
  { "an aggregate's beginning",
    [[drop aggregate shop.longest(text);
    create aggregate shop.longest(text) (sfunc = pg_catalog.text_larger, stype = text, initcond = 'a')]],
    "aggregate shop.longest(text): without it -> initcond 'a'" },
  { "an aggregate's size and its ways as a window",
    [[drop aggregate shop.summed(integer);
    create aggregate shop.summed(integer) (sfunc = int4pl, stype = integer, msfunc = int4pl, minvfunc = int4mi,
      mstype = integer, mfinalfunc = int4abs, mfinalfunc_modify = shareable)]],
    "aggregate shop.summed(integer): mfinalfunc int4abs(integer) r stype integer mstype integer msspace 16 -> "
      .. "mfinalfunc int4abs(integer) s stype integer mstype integer" },
  { "a trigger disabled",
    "alter table shop.products disable trigger products_audit",
    "trigger shop.products products_audit: enabled -> disabled" },
  { "a trigger that fires always",
    "alter table shop.products enable always trigger products_audit",
    "trigger shop.products products_audit: enabled -> enabled always" },
  { "a trigger lost",
    "drop trigger paid on shop.open_orders",
    "trigger shop.open_orders paid: CREATE TRIGGER paid INSTEAD OF DELETE ON shop.open_orders FOR EACH ROW "
      .. "EXECUTE FUNCTION shop.pay() enabled -> missing" },
  { "a trigger for other events",
    [[create or replace trigger products_audit after insert on shop.products
    for each row execute function audit.note_change()]],
    "trigger shop.products products_audit: CREATE TRIGGER products_audit AFTER INSERT OR DELETE OR UPDATE ON "
      .. "shop.products FOR EACH ROW EXECUTE FUNCTION audit.note_change() -> CREATE TRIGGER products_audit "
      .. "AFTER INSERT ON shop.products FOR EACH ROW EXECUTE FUNCTION audit.note_change()" },
  { "a trigger of one partition disabled",
    [[alter table shop.orders_2024 disable trigger "quiet one"]],
    [[trigger shop.orders_2024 "quiet one": missing -> disabled]] },
  { "a policy lost",
    "drop policy documents_added on audit.documents",
    "policy audit.documents documents_added: for insert restrictive to public with check (large IS NULL) -> "
      .. "missing" },
  { "another USING of a policy",
    "alter policy documents_titled on audit.documents using (title <> 'x')",
    "policy audit.documents documents_titled: using (title <> ''::text) -> using (title <> 'x'::text)" },
  { "a policy's WITH CHECK",
    "alter policy documents_added on audit.documents with check (true)",
    "policy audit.documents documents_added: with check (large IS NULL) -> with check true" },
  { "a policy for another role and command",
    [[drop policy documents_titled on audit.documents;
    create policy documents_titled on audit.documents for update to pg_monitor using (title <> '')]],
    "comment policy documents_titled on audit.documents: everyone reads what has a title -> missing",
    "policy audit.documents documents_titled: for select permissive to public -> for update permissive "
      .. "to pg_monitor" },
  { "a policy that is permissive",
    [[drop policy documents_added on audit.documents;
    create policy documents_added on audit.documents for insert with check (large is null)]],
    "policy audit.documents documents_added: restrictive -> permissive" },
  { "a rule lost",
    [[drop rule nothing_to_delete on "weird %names"."Empty"]],
    [[comment rule nothing_to_delete on "weird %names"."Empty": it stays empty -> missing]],
    [[rule "weird %names"."Empty" nothing_to_delete: CREATE RULE nothing_to_delete AS ON DELETE TO "weird ]]
      .. [[%names"."Empty" DO INSTEAD NOTHING; enabled -> missing]] },
  { "a rule disabled",
    [[alter table "weird %names"."Empty" disable rule nothing_to_delete]],
    [[rule "weird %names"."Empty" nothing_to_delete: enabled -> disabled]] },
  { "a view's definition",
    [[create or replace view "Über Uns"."Öffnungszeiten" as
    select "Filiale Nr.", "Öffnung" from "Über Uns"."Filialen" where "Land" = 'FR']],
    [[view "Über Uns"."Öffnungszeiten": WHERE ("Land" = 'DE'::text); -> WHERE ("Land" = 'FR'::text);]] },
  { "a view's options",
    "alter view shop.open_orders reset (security_barrier)",
    "view shop.open_orders: with security_barrier=true -> without it" },
  { "a view's default",
    "alter view shop.open_orders alter gross drop default",
    "column shop.open_orders.gross: numeric default 0 -> numeric" },
  { "a materialized view without its rows",
    "refresh materialized view shop.sales_by_month with no data",
    "materialized view shop.sales_by_month: populated -> not populated" },
  { "a materialized view's definition",
    [[drop materialized view shop.not_yet;
    create materialized view shop.not_yet as select count(id) as customers from shop.customers with no data]],
    "materialized view shop.not_yet: SELECT count(*) AS customers -> SELECT count(id) AS customers" },
}
