#!/bin/sh
# Makes the role that the nodes connect with: it may use the tables that `countersign migrate` makes, and change none of
# them (docs/postgresql.md says what can be taken back from it afterwards). compose.yaml has PostgreSQL's image run it once,
# when the database is new; elsewhere an administrator does it:
#
#   COUNTERSIGN_APP_PASSWORD=… POSTGRES_USER=countersign POSTGRES_DB=countersign sh countersign_app.sh
set -eu

psql --set=ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set=owner="$POSTGRES_USER" --set=database="$POSTGRES_DB" --set=password="$COUNTERSIGN_APP_PASSWORD" <<'SQL'
CREATE ROLE countersign_app LOGIN PASSWORD :'password';
GRANT CONNECT ON DATABASE :"database" TO countersign_app;
GRANT USAGE ON SCHEMA public TO countersign_app;
-- Should a node be cut off in the middle of something, the server lets go of it.
ALTER ROLE countersign_app SET statement_timeout = '10s';
ALTER ROLE countersign_app SET idle_in_transaction_session_timeout = '10s';
-- What is there already, and what the owner makes from now on.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO countersign_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO countersign_app;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO countersign_app;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE ON SEQUENCES TO countersign_app;
SQL
