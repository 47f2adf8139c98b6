-- name: start
-- Open a session.
insert into access.session
  (tenant, token_hash, name, practitioner, login, started, seen, ends, id_token, csrf_token)
values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)

-- name: resolve
-- The live session of a token with the person and each role valid now, one row per role.
select e.name as session, e.csrf_token, e.started, e.seen, e.ends, e.id_token,
       s.practitioner, s.login, s.name as staff_name, s.active,
       r.code, r.establishment, r.units, r.scope
from access.session e
join access.staff s on s.tenant = e.tenant and s.practitioner = e.practitioner
                   and s.login = e.login
left join access.staff_role r
  on r.tenant = s.tenant and r.practitioner = s.practitioner
 and (r.starts is null or r.starts <= $3) and (r.ends is null or r.ends > $3)
where e.tenant = $1 and e.token_hash = $2
  and e.ended is null and e.ends > $3 and e.seen > $4
order by r.role_id, r.code

-- name: touch
-- The session is in use.
update access.session set seen = greatest(seen, $3)
where tenant = $1 and token_hash = $2 and ended is null

-- name: end
-- Close one session.
update access.session set ended = $3, end_reason = $4, id_token = null
where tenant = $1 and token_hash = $2 and ended is null

-- name: end_all_of
-- Close every session of one account.
update access.session set ended = $3, end_reason = $4, id_token = null
where tenant = $1 and login = $2 and ended is null

-- name: forget_old
-- The journal keeps who signed in when; this table need not.
delete from access.session where tenant = $1 and (ended < $2 or ends < $2)

-- name: forget_sign_ins
-- Sign-ins that were begun and never finished.
delete from access.sign_in where tenant = $1 and started < $2

-- name: begin
-- One sign-in under way.
insert into access.sign_in (tenant, state_hash, verifier, nonce, next, base_url, started)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: take
-- The secrets of a sign-in, given out once.
delete from access.sign_in where tenant = $1 and state_hash = $2
returning verifier, nonce, next, base_url, started
