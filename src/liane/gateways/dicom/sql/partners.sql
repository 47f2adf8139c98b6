-- Machines that may send images.

-- name: allowed
select id, name, titles, called, addresses, unknown_patient, quarantine, establishment, authorities
  from imaging.partner
 where tenant = $1 and allowed
 order by id

-- name: introduce_loopback
insert into imaging.partner (tenant, id, name, addresses, unknown_patient, authorities, updated_at)
select $1, 'loopback', 'Cette machine', array['127.0.0.0/8', '::1/128'], 'provisional', $2::jsonb, $3
 where not exists (select from imaging.partner where tenant = $1)
on conflict do nothing

-- name: all
-- Every machine as declared, allowed or not.
select id, name, allowed, titles, called, addresses, unknown_patient, quarantine, establishment,
       authorities
  from imaging.partner
 where tenant = $1
 order by name, id

-- name: save
-- Declare a machine or change its settings. Its name stays: images carry it.
insert into imaging.partner (tenant, id, name, allowed, titles, called, addresses, unknown_patient,
                             quarantine, establishment, authorities, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb, clock_timestamp())
on conflict (tenant, id) do update set
  allowed = excluded.allowed, titles = excluded.titles, called = excluded.called,
  addresses = excluded.addresses, unknown_patient = excluded.unknown_patient,
  quarantine = excluded.quarantine, establishment = excluded.establishment,
  authorities = excluded.authorities, updated_at = excluded.updated_at
