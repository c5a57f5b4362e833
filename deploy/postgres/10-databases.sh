#!/bin/bash
# Run once by the PostgreSQL image on an empty volume: a role and a database for each service, so that neither can open the
# other's.
set -euo pipefail
for service in users gateway; do
    psql --set=ON_ERROR_STOP=1 --set=name="$service" --set=password="$(cat "${SECRETS:-/run/secrets}/${service}_password")" \
        --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
