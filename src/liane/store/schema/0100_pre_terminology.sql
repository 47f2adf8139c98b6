-- Terminology: code systems with their concepts, and where value sets and concept maps stand.
-- All of it can be made again from the CodeSystem, ValueSet and ConceptMap resources, or by loading
-- the published files again. The code systems of R4 itself are compiled into the program.
create schema if not exists terminology;

create sequence terminology.number as int;

create table terminology.system (
  tenant         smallint    not null,
  id             int         not null default nextval('terminology.number'),
  url            text        not null collate "C",
  version        text        not null default '' collate "C",
  version_order  text        not null default '' collate "C",  -- sorts 9 before 10
  resource       text        collate "C",                      -- CodeSystem id
  title          text        not null default '',
  status         text        not null default '',
  content        text        not null,
  case_sensitive boolean     not null,
  hierarchy      text        not null default '',
  value_set      text        not null default '' collate "C",
  supplements    text        not null default '' collate "C",
  properties     jsonb       not null default '[]',
  concepts       int         not null default 0,
  active         int         not null default 0,
  loaded         boolean     not null default false,
  source         text        not null default '',
  updated        timestamptz not null,
  primary key (tenant, id),
  unique (tenant, resource)
);
create index system_url on terminology.system (tenant, url);
create index system_value_set on terminology.system (tenant, value_set) where value_set <> '';
create index system_supplements on terminology.system (tenant, supplements) where supplements <> '';
comment on table terminology.system is 'One version of a code system';
comment on column terminology.system.loaded is 'Its concepts came by a loader, not with the resource';

create table terminology.concept (
  tenant     smallint not null,
  system     int      not null,
  id         int      not null,                       -- counted within the system
  key        text     not null collate "C",           -- the code, lower case when case is nothing
  code       text     not null collate "C",
  display    text     not null default '',
  definition text     not null default '',
  abstract   boolean  not null default false,
  inactive   boolean  not null default false,
  searched   text     not null collate "C",           -- folded words, each after a blank
  primary key (tenant, system, key)
);
create unique index concept_id on terminology.concept (tenant, system, id);
create index concept_searched on terminology.concept using gin (system, searched gin_trgm_ops);
comment on table terminology.concept is 'One concept of a code system; ids follow its own order';

create table terminology.designation (
  tenant   smallint not null,
  system   int      not null,
  concept  int      not null,
  place    smallint not null,
  language text     not null default '',
  usage    jsonb,                                      -- Coding
  value    text     not null,
  primary key (tenant, system, concept, place)
);
comment on table terminology.designation is 'Other words for a concept';

create table terminology.property (
  tenant  smallint not null,
  system  int      not null,
  concept int      not null,
  place   smallint not null,
  name    text     not null collate "C",
  value   text     not null collate "C",               -- of a Coding: its code
  short   text     not null generated always as (left(value, 200)) stored collate "C",
  shown   jsonb    not null,                           -- {"valueCode": ...}
  primary key (tenant, system, concept, place)
);
create index property_value on terminology.property (tenant, system, name, short, concept);
comment on table terminology.property is 'What a code system says of a concept';

-- Closed under is-a: every ancestor with every descendant, the concept itself left out.
create table terminology.closure (
  tenant     smallint not null,
  system     int      not null,
  ancestor   int      not null,
  descendant int      not null,
  direct     boolean  not null,
  primary key (tenant, system, ancestor, descendant)
);
create index closure_up on terminology.closure (tenant, system, descendant, ancestor);
comment on table terminology.closure is 'The hierarchy, closed: one probe answers a subsumption';

create table terminology.value_set (
  tenant        smallint    not null,
  resource      text        not null collate "C",      -- ValueSet id
  number        int         not null default nextval('terminology.number'),
  url           text        not null collate "C",
  version       text        not null default '' collate "C",
  version_order text        not null default '' collate "C",
  status        text        not null default '',
  updated       timestamptz not null,
  primary key (tenant, resource)
);
create index value_set_url on terminology.value_set (tenant, url);
comment on table terminology.value_set is 'Where each value set stands; number changes at each write';

create table terminology.concept_map (
  tenant        smallint    not null,
  resource      text        not null collate "C",      -- ConceptMap id
  id            int         not null default nextval('terminology.number'),
  url           text        not null default '' collate "C",
  version       text        not null default '' collate "C",
  version_order text        not null default '' collate "C",
  status        text        not null default '',
  source        text        not null default '' collate "C",   -- value set
  target        text        not null default '' collate "C",   -- value set
  unmapped      jsonb       not null default '[]',
  updated       timestamptz not null,
  primary key (tenant, resource)
);
create index concept_map_url on terminology.concept_map (tenant, url);
create index concept_map_id on terminology.concept_map (tenant, id);
comment on table terminology.concept_map is 'Concept maps; their lines stand in terminology.mapping';

create table terminology.mapping (
  tenant        smallint not null,
  map           int      not null,
  place         int      not null,
  source_system text     not null default '' collate "C",
  source_code   text     not null collate "C",
  target_system text     not null default '' collate "C",
  target_code   text     not null default '' collate "C",
  target_display text    not null default '',
  equivalence   text     not null,
  comment       text     not null default '',
  depends       jsonb    not null default '[]',
  products      jsonb    not null default '[]',
  primary key (tenant, map, place)
);
create index mapping_source on terminology.mapping (tenant, source_code, source_system, map);
create index mapping_target on terminology.mapping (tenant, target_code, target_system, map);
comment on table terminology.mapping is 'One line of a concept map';

do $$
declare
  one text;
begin
  foreach one in array array['system', 'concept', 'designation', 'property', 'closure',
                             'value_set', 'concept_map', 'mapping'] loop
    execute format('alter table terminology.%I enable row level security', one);
    execute format('create policy tenant_wall on terminology.%I '
                   'using (tenant = current_setting(''liane.tenant'')::smallint)', one);
  end loop;
end $$;

-- Row-level security would forbid the word index to the application (LIKE is not leak-proof). This
-- function may use it; it asks for the tenant itself and gives numbers of concepts only.
create function terminology.matching(wanted int, patterns text[])
returns setof int
language plpgsql stable security definer
set search_path = pg_catalog, terminology, public
as $$
declare
  tests text := '';
  one text;
begin
  foreach one in array patterns loop
    tests := tests || format(' and c.searched like %L', one);
  end loop;
  return query execute format(
    'select c.id from terminology.concept c where c.tenant = %L::smallint and c.system = %L::int %s',
    current_setting('liane.tenant'), wanted, tests);
end
$$;
