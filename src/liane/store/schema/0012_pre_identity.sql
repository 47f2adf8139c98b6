-- The identity application keeps its own tables, in its own schema, under its own role: it can
-- read nothing of the record, and the record's role can read nothing of it.
create schema if not exists identity;
do $$
begin
  if exists (select from pg_roles where rolname = 'liane_app') then
    revoke all on schema identity from liane_app;
  end if;
  if exists (select from pg_roles where rolname = 'liane_identity') then
    grant usage, create on schema identity to liane_identity;
  end if;
end $$;
