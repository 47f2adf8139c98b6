-- The same answers as before with fewer steps: these functions run for every message of a partner,
-- and a set-returning function inside another costs more than the question it asks.

create or replace function patients.lock_numbers(numbers text[]) returns void
language plpgsql volatile as $$
declare key bigint;
begin
  if cardinality(numbers) = 1 then
    perform pg_advisory_xact_lock(
      hashtextextended(current_setting('liane.tenant') || numbers[1], 30));
    return;
  end if;
  for key in
    select distinct hashtextextended(current_setting('liane.tenant') || n, 30) k
    from unnest(numbers) n order by k
  loop
    perform pg_advisory_xact_lock(key);
  end loop;
end $$;

create or replace function patients.lock_shared(ids text[]) returns void
language plpgsql volatile as $$
declare one text;
begin
  if cardinality(ids) = 1 then
    perform pg_advisory_xact_lock_shared(
      hashtextextended(current_setting('liane.tenant') || 'patient|' || ids[1], 31));
    return;
  end if;
  for one in select distinct i from unnest(ids) i order by i loop
    perform pg_advisory_xact_lock_shared(
      hashtextextended(current_setting('liane.tenant') || 'patient|' || one, 31));
  end loop;
end $$;

-- Hold the patients whom numbers name: nobody is named, nothing to hold.
create function patients.hold_named(systems text[], vals text[]) returns boolean
language plpgsql volatile as $$
declare named text[];
begin
  select array_agg(distinct coalesce(x.retired_into, i.patient)) into named
    from unnest(systems, vals) as n(s, v)
    join patients.identifier i
      on i.tenant = current_setting('liane.tenant')::smallint and i.system = n.s and i.value = n.v
    join patients.index x on x.tenant = i.tenant and x.patient = i.patient;
  if named is null then
    return false;
  end if;
  perform patients.lock_shared(named);
  return true;
end $$;

create or replace function patients.find_and_hold(systems text[], vals text[])
returns setof record
language plpgsql volatile as $$
begin
  if not patients.hold_named(systems, vals) then
    return;
  end if;
  -- A statement of its own looks again: a merge may have ended while we waited.
  return query
    select n.rank, i.system, i.value, i.patient, i.type, i.use, x.ins,
           x.source, x.status, x.traits_at, x.heard, x.retired_into
    from unnest(systems, vals) with ordinality as n(s, v, rank)
    join patients.identifier i
      on i.tenant = current_setting('liane.tenant')::smallint and i.system = n.s and i.value = n.v
    join patients.index x on x.tenant = i.tenant and x.patient = i.patient
    order by n.rank;
end $$;

create or replace function patients.lock_and_find(systems text[], vals text[])
returns table (rank bigint, system text, value text, patient text, type text, use text, ins text,
               source text, status text, traits_at timestamptz, heard jsonb, retired_into text,
               body text)
language plpgsql volatile as $$
declare t smallint := current_setting('liane.tenant')::smallint;
begin
  perform patients.lock_numbers(
    array(select s || '|' || v from unnest(systems, vals) as n(s, v)));
  if not patients.hold_named(systems, vals) then
    return;
  end if;
  return query
    with people as materialized (
      select n.place, i.system, i.value, i.patient, i.type, i.use, x.ins,
             x.source, x.status, x.traits_at, x.heard, x.retired_into
      from unnest(systems, vals) with ordinality as n(s, v, place)
      join patients.identifier i on i.tenant = t and i.system = n.s and i.value = n.v
      join patients.index x on x.tenant = i.tenant and x.patient = i.patient
    ), bodies as (
      select r.id, r.body from record.resource r
      where r.tenant = t and r.type = 'Patient'
        and r.id in (select coalesce(p.retired_into, p.patient) from people p)
      order by r.id for update
    )
    select p.*, b.body from people p
    left join bodies b on b.id = coalesce(p.retired_into, p.patient) order by p.place;
end $$;

drop function patients.numbered(text[], text[]);
