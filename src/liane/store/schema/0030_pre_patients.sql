-- Patients: identities for search, movements received, stays, beds, duplicates and merges.
-- Everything here can be recomputed from resources, except the movement facts, the state of beds,
-- the discrepancies and the snapshots of merges.
create schema if not exists patients;
create extension if not exists pg_trgm;

create table patients.index (
  tenant       smallint    not null,
  patient      text        not null,
  birth_name   text        not null default '',
  used_name    text        not null default '',
  given        text        not null default '',
  used_given   text        not null default '',
  birth_date   text        not null default '',
  sex          text        not null default '',
  birth_place  text        not null default '',
  status       text        not null default 'provisoire',
  attributes   text[]      not null default '{}',
  protected    boolean     not null default false,
  deceased     boolean     not null default false,
  ins          text        not null default '',
  ipps         text[]      not null default '{}',
  names        text        not null default '',  -- folded, one space around each word
  sounds       text[]      not null default '{}', -- how the names sound
  source       text        not null default '',  -- who gave the strict traits we hold
  traits_at    timestamptz not null default '0001-01-02 00:00:00+00',
  heard        jsonb       not null default '{}', -- source -> hash of its last message's traits
  retired_into text,                              -- merged into this patient
  primary key (tenant, patient)
) with (fillfactor = 80);
-- Without fastupdate: people are looked for far more often than they are named.
create index index_names on patients.index using gin (names gin_trgm_ops)
  with (fastupdate = off) where retired_into is null;
create index index_sounds on patients.index using gin (sounds)
  with (fastupdate = off) where retired_into is null;
create index index_birth on patients.index (tenant, birth_date) where retired_into is null;
comment on table patients.index is 'One row per identity, what search and look-alike checks need';

create table patients.identifier (
  tenant  smallint not null,
  system  text     not null,
  value   text     not null collate "C",
  patient text     not null,
  type    text     not null default '',
  use     text     not null default '',
  primary key (tenant, system, value, patient)
);
create index identifier_patient on patients.identifier (tenant, patient);
create index identifier_value on patients.identifier (tenant, value);
comment on table patients.identifier is 'Every number of every identity: IPP, INS, former numbers';

create table patients.movement (
  tenant    smallint    not null,
  encounter text        not null,
  digest    text        not null,
  source    text        not null,
  received  timestamptz not null,
  fact      jsonb       not null,
  primary key (tenant, encounter, digest)
);
comment on table patients.movement is
  'Every movement message, kept for ever: a stay is computed from all those of its encounter';

create table patients.stay (
  tenant         smallint    not null,
  encounter      text        not null,
  patient        text        not null,
  venue_system   text        not null,
  venue_value    text        not null,
  status         text        not null default 'unknown',
  class          text        not null default 'IMP',
  establishment  text        not null default '',
  unit           text        not null default '',
  medical_unit   text        not null default '',
  ward           text        not null default '',
  room           text        not null default '',
  bed            text        not null default '',
  starts         timestamptz,
  ends           timestamptz,
  expected_start timestamptz,
  expected_end   timestamptz,
  since          timestamptz,                       -- in this place since
  attending      text        not null default '',
  anomalies      text[]      not null default '{}',
  primary key (tenant, encounter)
);
create unique index stay_venue on patients.stay (tenant, venue_system, venue_value);
create index stay_patient on patients.stay (tenant, patient);
create index stay_unit on patients.stay (tenant, unit, status);
create index stay_bed on patients.stay (tenant, bed) where status in ('in-progress', 'onleave');
comment on table patients.stay is 'Where each stay stands now, computed from its movements';

create table patients.bed (
  tenant   smallint    not null,
  location text        not null,
  unit     text        not null,
  ward     text        not null default '',
  room     text        not null default '',
  label    text        not null,
  rank     integer     not null default 0,
  state    text        not null default 'U' check (state in ('U', 'K', 'H', 'C', 'I')),
  since    timestamptz not null,
  note     text        not null default '',
  active   boolean     not null default true,
  primary key (tenant, location)
);
create index bed_unit on patients.bed (tenant, unit);
comment on table patients.bed is
  'Beds and what is said of them when empty (HL7 table 0116); occupied is read from patients.stay';

create table patients.unit (
  tenant        smallint not null,
  unit          text     not null,
  name          text     not null,
  establishment text     not null default '',
  learnt        boolean  not null default false,
  active        boolean  not null default true,
  primary key (tenant, unit)
);
comment on table patients.unit is 'Care units by name, projected from Organization';

create table patients.discrepancy (
  tenant   smallint    not null,
  id       text        not null,
  patient  text        not null,
  trait    text        not null,
  kept     text        not null,
  proposed text        not null,
  source   text        not null,
  at       timestamptz not null,
  settled_at timestamptz,
  settled_by text,
  primary key (tenant, id)
);
create unique index discrepancy_open on patients.discrepancy
  (tenant, patient, trait, proposed, source) where settled_at is null;
comment on table patients.discrepancy is
  'What a less trusted source says differently of a validated identity: ours is kept, people decide';

create table patients.merge (
  tenant    smallint    not null,
  id        text        not null,
  survivor  text        not null,
  retired   text        not null,
  source    text        not null,
  said_at   timestamptz not null,
  done_at   timestamptz not null,
  done_by   text        not null,
  snapshot  jsonb       not null,
  undone_at timestamptz,
  undone_by text,
  primary key (tenant, id)
);
create unique index merge_open on patients.merge (tenant, retired) where undone_at is null;
comment on table patients.merge is 'Merges of identities, with what is needed to undo each';

create table patients.not_duplicate (
  tenant smallint    not null,
  a      text        not null,
  b      text        not null,
  at     timestamptz not null,
  by     text        not null,
  primary key (tenant, a, b)
);
comment on table patients.not_duplicate is 'Pairs that the identity staff declared to be two people';

do $$
declare name text;
begin
  foreach name in array array['index', 'identifier', 'movement', 'stay', 'bed', 'unit',
                              'discrepancy', 'merge', 'not_duplicate'] loop
    execute format('alter table patients.%I enable row level security', name);
    execute format('create policy tenant_wall on patients.%I using '
                   '(tenant = current_setting(''liane.tenant'')::smallint)', name);
  end loop;
end $$;

-- Messages that name the same number wait for one another; the lock ends with the transaction.
-- Sorted, so that two messages with the same two numbers cannot wait for each other.
create function patients.lock_numbers(numbers text[]) returns void
language plpgsql volatile as $$
declare key bigint;
begin
  for key in
    select distinct hashtextextended(current_setting('liane.tenant') || n, 30) k
    from unnest(numbers) n order by k
  loop
    perform pg_advisory_xact_lock(key);
  end loop;
end $$;

-- Whoever files something for a patient holds a shared lock on the patient until the end of the
-- transaction; a merge takes it alone. So nothing is ever filed for an identity being retired.
create function patients.lock_shared(ids text[]) returns void
language plpgsql volatile as $$
declare one text;
begin
  for one in select distinct i from unnest(ids) i order by i loop
    perform pg_advisory_xact_lock_shared(
      hashtextextended(current_setting('liane.tenant') || 'patient|' || one, 31));
  end loop;
end $$;

create function patients.lock_alone(ids text[]) returns void
language plpgsql volatile as $$
declare one text;
begin
  for one in select distinct i from unnest(ids) i order by i loop
    perform pg_advisory_xact_lock(
      hashtextextended(current_setting('liane.tenant') || 'patient|' || one, 31));
  end loop;
end $$;

-- Whom numbers name, each with its survivor when merged.
create function patients.numbered(systems text[], vals text[])
returns table (rank bigint, system text, value text, patient text, type text, use text, ins text,
               source text, status text, traits_at timestamptz, heard jsonb, retired_into text)
language sql volatile as $$
  select n.rank, i.system, i.value, i.patient, i.type, i.use, x.ins,
         x.source, x.status, x.traits_at, x.heard, x.retired_into
  from unnest(systems, vals) with ordinality as n(s, v, rank)
  join patients.identifier i
    on i.tenant = current_setting('liane.tenant')::smallint and i.system = n.s and i.value = n.v
  join patients.index x on x.tenant = i.tenant and x.patient = i.patient
  order by n.rank
$$;

-- Find, hold the patients found, and look again: a merge may have ended while we waited.
create function patients.find_and_hold(systems text[], vals text[])
returns setof record
language plpgsql volatile as $$
declare found_ids text[];
begin
  select array_agg(coalesce(retired_into, patient)) into found_ids
    from patients.numbered(systems, vals);
  perform patients.lock_shared(coalesce(found_ids, '{}'));
  return query select * from patients.numbered(systems, vals);
end $$;

-- The same for a message that may create or change the identity: its numbers are locked first, and
-- the Patient found is locked and given back, so that nobody changes it in between.
create function patients.lock_and_find(systems text[], vals text[])
returns table (rank bigint, system text, value text, patient text, type text, use text, ins text,
               source text, status text, traits_at timestamptz, heard jsonb, retired_into text,
               body text)
language plpgsql volatile as $$
declare t smallint := current_setting('liane.tenant')::smallint;
begin
  perform patients.lock_numbers(
    array(select s || '|' || v from unnest(systems, vals) as n(s, v)));
  return query
    with people as (
      select * from patients.find_and_hold(systems, vals) as f(
        rank bigint, system text, value text, patient text, type text, use text, ins text,
        source text, status text, traits_at timestamptz, heard jsonb, retired_into text)
    ), bodies as (
      select r.id, r.body from record.resource r
      where r.tenant = t and r.type = 'Patient'
        and r.id in (select coalesce(p.retired_into, p.patient) from people p)
      order by r.id for update
    )
    select p.*, b.body from people p
    left join bodies b on b.id = coalesce(p.retired_into, p.patient) order by p.rank;
end $$;

-- Lock a stay by its venue number and give back everything known of it. A known stay keeps the
-- movement at once; a new one does when its Encounter has been written (begin_stay).
create function patients.keep_movement(
  p_system text, p_value text, p_patient text, p_digest text, p_source text,
  p_now timestamptz, p_fact jsonb)
returns table (encounter text, patient text, fresh boolean, old_bed text, facts jsonb, body text)
language plpgsql volatile as $$
declare
  t smallint := current_setting('liane.tenant')::smallint;
  v_encounter text; v_patient text; v_bed text; v_fresh integer;
begin
  perform patients.lock_numbers(array['venue|' || p_system || '|' || p_value]);
  select s.encounter, s.patient, s.bed into v_encounter, v_patient, v_bed from patients.stay s
    where s.tenant = t and s.venue_system = p_system and s.venue_value = p_value;
  if not found then
    return query select null::text, p_patient, true, '', jsonb_build_array(p_fact), null::text;
    return;
  end if;
  if v_patient <> p_patient then
    return query select v_encounter, v_patient, false, v_bed, '[]'::jsonb, null::text;
    return;
  end if;
  insert into patients.movement (tenant, encounter, digest, source, received, fact)
    values (t, v_encounter, p_digest, p_source, p_now, p_fact)
    on conflict do nothing;
  get diagnostics v_fresh = row_count;
  return query select v_encounter, v_patient, v_fresh = 1, v_bed,
    (select jsonb_agg(m.fact) from patients.movement m
      where m.tenant = t and m.encounter = v_encounter),
    (select r.body from record.resource r
      where r.tenant = t and r.type = 'Encounter' and r.id = v_encounter and v_fresh = 1
      for update);
end $$;
-- Whose IPP, INS or bed starts like that, and how exactly.
create function patients.numbered_like(number text)
returns table (patient text, score real)
language sql stable as $$
  select found.patient, max(found.score) from (
    select coalesce(x.retired_into, i.patient) as patient,
           case when i.value = number then 3.0::real else 2.0::real end as score
    from patients.identifier i
    join patients.index x on x.tenant = i.tenant and x.patient = i.patient
    where i.tenant = current_setting('liane.tenant')::smallint
      and i.value >= number and i.value < number || U&'\FFFF'
    union all
    select s.patient, case when b.label = number then 2.5::real else 1.5::real end
    from patients.bed b
    join patients.stay s on s.tenant = b.tenant and s.bed = b.location
      and s.status in ('in-progress', 'onleave')
    where b.tenant = current_setting('liane.tenant')::smallint and starts_with(b.label, number)
  ) as found
  group by found.patient
$$;

-- How well folded names answer folded words, each as written or as it sounds; null = not at all.
create function patients.answers(names text, sounds text[], words text[], word_sounds text[])
returns real
language sql immutable
as $$
  select case when bool_and(part >= 0.42) then sum(part)::real end
  from (
    select case
      when names like '% ' || word || ' %' then 1.0
      when names like '% ' || word || '%' then 0.9
      when sounds @> array[sound] then 0.8
      else public.word_similarity(word, names) * 0.95 end as part
    from unnest(words, word_sounds) as w(word, sound)) as parts
$$;

-- Search forgives typing errors with trigrams, whose operators row-level security would keep from
-- the index (they are not leak-proof). This function may use the index; it asks for the tenant
-- itself and gives back ids and scores only. Words are folded, the longest first; word_sounds[i]
-- is how words[i] sounds; births are LIKE patterns; number is a start of an IPP, INS or bed label.
create function patients.search(
  words text[], word_sounds text[], births text[], number text, most integer)
returns table (patient text, score real)
language plpgsql stable security definer rows 60
set search_path = pg_catalog, patients, public
set pg_trgm.word_similarity_threshold = 0.42
set plan_cache_mode = force_custom_plan
as $$
declare
  t smallint := current_setting('liane.tenant')::smallint;
  starts text[] := array(select '% ' || w || '%' from unnest(words) w);
begin
  if number <> '' then
    return query
      select n.patient, n.score + coalesce(patients.answers(x.names, x.sounds, words, word_sounds), 0)
      from patients.numbered_like(number) n
      join patients.index x on x.tenant = t and x.patient = n.patient
      where (cardinality(words) = 0
             or patients.answers(x.names, x.sounds, words, word_sounds) is not null)
        and (cardinality(births) = 0 or x.birth_date like any(births))
      order by 2 desc, 1 limit most;
  elsif cardinality(words) = 0 then
    return query
      select x.patient, 1.0::real from patients.index x
      where x.tenant = t and x.retired_into is null and x.birth_date like any(births)
      order by x.names limit most;
  else
    -- A frequent name is answered from those written like that; the others only fill up.
    return query
      with written as (
        select x.patient, x.names, x.sounds from patients.index x
        where x.tenant = t and x.retired_into is null and x.names like starts[1]
          and x.names like all(starts)
          and (cardinality(births) = 0 or x.birth_date like any(births))
        limit 800
      ), heard as (
        select x.patient, x.names, x.sounds from patients.index x
        where x.tenant = t and x.retired_into is null
          and (x.sounds @> array[word_sounds[1]] or words[1] operator(public.<%) x.names)
          and (cardinality(births) = 0 or x.birth_date like any(births))
        limit 500
      )
      select f.patient, f.score from (
        select c.patient, c.names,
               patients.answers(c.names, c.sounds, words, word_sounds) as score
        from (select * from written union select * from heard) c
      ) as f
      where f.score is not null
      order by f.score desc, f.names limit most;
  end if;
end $$;
