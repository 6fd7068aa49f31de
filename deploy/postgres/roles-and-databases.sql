-- One role and one database per service: nobody reads another service's tables. The image runs this once, on a new volume.
-- Passwords come from the container's environment; a missing one leaves :'...' as it stands, which is an error and ends the start.

\getenv registry_password REGISTRY_DATABASE_PASSWORD
\getenv interventions_password INTERVENTIONS_DATABASE_PASSWORD
\getenv scoring_password SCORING_DATABASE_PASSWORD
\getenv gateway_password GATEWAY_DATABASE_PASSWORD

CREATE ROLE kkb_registry LOGIN PASSWORD :'registry_password';
CREATE ROLE kkb_interventions LOGIN PASSWORD :'interventions_password';
CREATE ROLE kkb_scoring LOGIN PASSWORD :'scoring_password';
CREATE ROLE kkb_gateway LOGIN PASSWORD :'gateway_password';

CREATE DATABASE kkb_registry OWNER kkb_registry;
CREATE DATABASE kkb_interventions OWNER kkb_interventions;
CREATE DATABASE kkb_scoring OWNER kkb_scoring;
CREATE DATABASE kkb_gateway OWNER kkb_gateway;

REVOKE ALL ON DATABASE kkb_registry, kkb_interventions, kkb_scoring, kkb_gateway, postgres, template1 FROM PUBLIC;
