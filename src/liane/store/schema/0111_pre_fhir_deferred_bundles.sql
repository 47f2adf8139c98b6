-- Bundles answered later (`Prefer: respond-async`): what was sent, until it is answered, and what
-- became of each entry of a batch, written with the entry's own effects.
alter table work.request add column sent bytea;  -- the Bundle as JSON, gzip; gone with the answer

create table work.request_entry (
  tenant  smallint not null,
  request text     not null collate "C",
  number  int      not null,   -- the place of the entry in the batch
  told    text     not null,   -- its entry in the response Bundle
  primary key (tenant, request, number),
  foreign key (tenant, request) references work.request (tenant, id) on delete cascade
);
comment on table work.request_entry is 'What became of each entry of a batch that is answered later';

alter table work.request_entry enable row level security;
create policy tenant on work.request_entry
  using (tenant = current_setting('liane.tenant')::smallint);
