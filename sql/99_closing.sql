-- 99_closing: PUBLIC gets nothing it was not given by name. Functions are born with
-- EXECUTE for everybody; every part grants what each role needs, this one takes the rest.
REVOKE ALL ON ALL TABLES IN SCHEMA laras FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA laras FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA laras FROM PUBLIC;
REVOKE ALL ON SCHEMA laras FROM PUBLIC;
