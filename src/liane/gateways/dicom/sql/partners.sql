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
