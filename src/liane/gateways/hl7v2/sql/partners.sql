-- name: all
-- Every system that may send, as kept on the interfaces page.
select id, name, allowed, addresses, certificates, applications, charset, unknown_patient,
       enhanced, language, establishment, authorities, quiet_minutes
from hl7v2.partner
where tenant = $1
order by id

-- name: stamp
-- When the settings changed last, and how many there are: a cheap question asked often.
select count(*) as partners, coalesce(max(updated_at), '-infinity') as changed
from hl7v2.partner
where tenant = $1

-- name: save
-- Create a partner or change its settings.
insert into hl7v2.partner (tenant, id, name, allowed, addresses, certificates, applications, charset,
                           unknown_patient, enhanced, language, establishment, authorities,
                           quiet_minutes, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::text::jsonb, $14, clock_timestamp())
on conflict (tenant, id) do update set
  name = excluded.name, allowed = excluded.allowed, addresses = excluded.addresses,
  certificates = excluded.certificates, applications = excluded.applications,
  charset = excluded.charset, unknown_patient = excluded.unknown_patient,
  enhanced = excluded.enhanced, language = excluded.language,
  establishment = excluded.establishment, authorities = excluded.authorities,
  quiet_minutes = excluded.quiet_minutes, updated_at = excluded.updated_at

-- name: ensure
-- The same, only when it is not there yet: settings made by people are never overwritten.
insert into hl7v2.partner (tenant, id, name, allowed, addresses, certificates, applications, charset,
                           unknown_patient, enhanced, language, establishment, authorities,
                           quiet_minutes, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::text::jsonb, $14, clock_timestamp())
on conflict (tenant, id) do nothing
