-- The key of a value, as liane.store.keys makes it: the first eight bytes of SHA-256.
create function record.key_of(told text) returns bigint
language sql immutable strict parallel safe
as $$
  select ('x' || encode(substr(sha256(convert_to(told, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint
$$;

-- A text as lists are sorted by it: lower case, without accents, ligatures opened.
create function record.folded(written text) returns text
language sql immutable strict parallel safe
as $$
  select trim(regexp_replace(regexp_replace(
    normalize(replace(replace(lower(written), 'œ', 'oe'), 'æ', 'ae'), nfkd),
    '[\u0300-\u036f]', '', 'g'), '[\s''’_.,;:/-]+', ' ', 'g'))
$$;

-- The first (or, with `ends`, the last) instant that a FHIR date can mean; without a zone, in that
-- of the house. Beyond the end of a period nothing is known: infinity.
create function record.instant_of(written text, zone text, ends boolean) returns timestamptz
language sql stable strict parallel safe
as $$
  select case
    when length(written) > 10 and written ~ '(Z|[+-]\d\d:\d\d)$' then written::timestamptz
    when length(written) > 10 then written::timestamp at time zone zone
    when not ends then (written || substr('-01-01', length(written) - 3))::timestamp at time zone zone
    when length(written) = 4 then ((written || '-01-01')::timestamp + interval '1 year') at time zone zone
    when length(written) = 7 then ((written || '-01')::timestamp + interval '1 month') at time zone zone
    else (written::timestamp + interval '1 day') at time zone zone
  end
$$;

-- A body as JSON; null for one that the database cannot hold as such (a number of 200,000 digits),
-- so that it spoils no list.
create function record.parsed(body text) returns jsonb
language plpgsql immutable strict parallel restricted
as $$
begin
  return body::jsonb;
exception when others then
  return null;
end
$$;
