-- name: known
-- What was counted when this very file was brought in whole with this mapping.
select stored, skipped from importing.file
where tenant = $1 and sha256 = $2 and mapping = $3;

-- name: keep
-- Remembers a file that came in whole.
insert into importing.file (tenant, sha256, mapping, name, kind, stored, skipped, at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (tenant, sha256, mapping) do nothing;
