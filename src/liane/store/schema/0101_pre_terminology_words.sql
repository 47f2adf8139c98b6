-- The words of concepts, one row each: a text that somebody types is a range of this index, read
-- without opening a single concept, however many it finds (trigrams took five times as long).
drop function terminology.matching(int, text[]);
alter table terminology.concept drop column searched;

create table terminology.word (
  tenant   smallint not null,
  system   int      not null,
  word     text     not null collate "C",
  concept  int      not null,
  size     smallint not null,                          -- signs of the display: short ones first
  inactive boolean  not null,
  abstract boolean  not null,
  primary key (tenant, system, word, concept) include (size, inactive, abstract)
) with (autovacuum_vacuum_insert_scale_factor = 0.02);
comment on table terminology.word is 'Folded words of codes, displays and designations';

alter table terminology.word enable row level security;
create policy tenant_wall on terminology.word
  using (tenant = current_setting('liane.tenant')::smallint);

create index concept_inactive on terminology.concept (tenant, system, id) where inactive;
create index concept_abstract on terminology.concept (tenant, system, id) where abstract;
