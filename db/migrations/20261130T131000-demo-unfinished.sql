-- Demo plants whose past is not complete, because the seeding still runs or was cut off. The next seeding makes them anew.
-- Empty anywhere else.
create table demo_unfinished (
  plant_id text primary key references plants (id) on delete cascade
);
