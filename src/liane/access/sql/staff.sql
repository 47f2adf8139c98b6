-- name: find_by_login
-- One row per role valid at the instant $3; a person without any role gives one row without code.
select s.practitioner, s.login, s.name as staff_name, s.active,
       r.code, r.establishment, r.units, r.scope
from access.staff s
left join access.staff_role r
  on r.tenant = s.tenant and r.practitioner = s.practitioner
 and (r.starts is null or r.starts <= $3) and (r.ends is null or r.ends > $3)
where s.tenant = $1 and s.login = $2 and s.login <> ''
order by r.role_id, r.code

-- name: practitioner_of
-- The practitioner a login already belongs to.
select practitioner from access.staff where tenant = $1 and login = $2

-- name: is_known
-- Whether a Practitioner of that id was ever seen here.
select exists (select from access.staff where tenant = $1 and practitioner = $2)

-- name: keep_person
-- The quick copy of one Practitioner.
insert into access.staff (tenant, practitioner, login, name, active)
values ($1, $2, $3, $4, $5)
on conflict (tenant, practitioner) do update
set login = excluded.login, name = excluded.name, active = excluded.active

-- name: forget_person
-- A deleted Practitioner signs in no more.
delete from access.staff where tenant = $1 and practitioner = $2

-- name: forget_role
-- Before the roles of one PractitionerRole are written again.
delete from access.staff_role where tenant = $1 and role_id = $2

-- name: keep_role
-- The quick copy of one role of one PractitionerRole.
insert into access.staff_role
  (tenant, role_id, practitioner, code, establishment, units, scope, starts, ends)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
