-- Who may reach whom: ties between patients and units, protected identities, staff and sessions.
create schema if not exists access;

create table access.relation (
  tenant        smallint    not null,
  patient       text        not null,
  encounter     text        not null,
  kind          text        not null check (kind in ('present', 'expected', 'care_team', 'recent')),
  unit          text        not null default '',
  establishment text        not null default '',
  practitioner  text        not null default '',
  starts        timestamptz not null,
  ends          timestamptz,
  primary key (tenant, patient, encounter, kind, unit, practitioner, starts)
);
create index relation_encounter on access.relation (tenant, encounter);
create index relation_unit on access.relation (tenant, unit, kind) where unit <> '';
create index relation_practitioner on access.relation (tenant, practitioner)
  where practitioner <> '';
comment on table access.relation is
  'Which patients are present in, expected by or recently left which unit, and who cares for them';

create table access.protected_patient (
  tenant  smallint not null,
  patient text     not null,
  primary key (tenant, patient)
);
comment on table access.protected_patient is
  'Patients whose identity is protected, kept in step with Patient resources by access.writes';

-- What people are, projected from Practitioner and PractitionerRole by access.writes, so that a
-- change of role takes effect at the very next request.
create table access.staff (
  tenant       smallint not null,
  practitioner text     not null,
  login        text     not null,
  name         text     not null,
  active       boolean  not null default true,
  primary key (tenant, practitioner)
);
create unique index staff_login on access.staff (tenant, login) where login <> '';

create table access.staff_role (
  tenant        smallint not null,
  role_id       text     not null,
  practitioner  text     not null,
  code          text     not null,
  establishment text     not null,
  units         text[]   not null default '{}',
  scope         text     not null check (scope in ('unit', 'establishment', 'group')),
  starts        timestamptz,
  ends          timestamptz,
  primary key (tenant, role_id, code)
);
create index staff_role_practitioner on access.staff_role (tenant, practitioner);

create table access.session (
  tenant       smallint    not null,
  token_hash   bytea       not null,
  name         text        not null,
  practitioner text        not null,
  login        text        not null,
  started      timestamptz not null,
  seen         timestamptz not null,
  ends         timestamptz not null,
  ended        timestamptz,
  end_reason   text,
  id_token     text,
  csrf_token   text        not null,
  primary key (tenant, token_hash)
);
create index session_login on access.session (tenant, login) where ended is null;
create index session_ends on access.session (tenant, ends);
comment on table access.session is
  'Signed-in browsers. Only the SHA-256 of the cookie is kept, so that a copy of this table opens nothing';

create table access.sign_in (
  tenant     smallint    not null,
  state_hash bytea       not null,
  verifier   text        not null,
  nonce      text        not null,
  next       text        not null,
  base_url   text        not null,
  started    timestamptz not null,
  primary key (tenant, state_hash)
);
comment on table access.sign_in is
  'Sign-ins under way: the secret halves of state, nonce and PKCE, each used once';

do $$
declare name text;
begin
  foreach name in array array['relation', 'protected_patient', 'staff', 'staff_role', 'session',
                              'sign_in'] loop
    execute format('alter table access.%I enable row level security', name);
    execute format('create policy tenant_wall on access.%I using '
                   '(tenant = current_setting(''liane.tenant'')::smallint)', name);
  end loop;
end $$;
