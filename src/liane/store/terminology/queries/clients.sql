-- name: begin_table
-- A table under this name, empty, whether it was there or not.
insert into terminology.client_table (tenant, client, name, version, updated)
values ($1, $2, $3, 0, $4)
on conflict (tenant, client, name) do update set version = 0, updated = excluded.updated;

-- name: empty_table
-- Its concepts go.
delete from terminology.client_concept where tenant = $1 and client = $2 and name = $3;

-- name: count_tables
-- How many tables a client keeps.
select count(*) from terminology.client_table where tenant = $1 and client = $2;

-- name: next_version
-- One version later, the row locked until the commit; nothing when there is no such table.
update terminology.client_table set version = version + 1, updated = $4
where tenant = $1 and client = $2 and name = $3 returning version;

-- name: present_version
-- The version now; nothing when there is no such table.
select version from terminology.client_table where tenant = $1 and client = $2 and name = $3;

-- name: add_concepts
-- Concepts met for the first time.
insert into terminology.client_concept (tenant, client, name, system, code, version)
select $1, $2, $3, u.*, $6 from unnest($4::text[], $5::text[]) u
on conflict do nothing;

-- name: concepts
-- Every concept of a table with the version that added it.
select system, code, version from terminology.client_concept
where tenant = $1 and client = $2 and name = $3 order by system, code;

-- name: pairs
-- Which of these concepts stand above which.
select d.code as below, a.code as above
from terminology.concept d
join terminology.closure k on k.tenant = d.tenant and k.system = d.system and k.descendant = d.id
join terminology.concept a on a.tenant = k.tenant and a.system = k.system and a.id = k.ancestor
where d.tenant = $1 and d.system = $2 and d.key = any($3::text[]) and a.key = any($3::text[]);
