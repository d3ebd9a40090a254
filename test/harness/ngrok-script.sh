#!/bin/sh
# A script as people write them for ngrok: waits for the URL, looks at the last request, and sends it again.
# Its one line that is not ngrok's is the token, for what changes something.
set -eu
web=${1:?address of the inspector}

url=
while [ -z "$url" ] || [ "$url" = null ]; do
  url=$(curl -s "$web/api/tunnels" | jq -r '.tunnels[0].public_url')
done
echo "url $url"
echo "proto $(curl -s "$web/api/tunnels" | jq -r '.tunnels[0].proto')"
echo "addr $(curl -s "$web/api/tunnels" | jq -r '.tunnels[0].config.addr')"
name=$(curl -s "$web/api/tunnels" | jq -r '.tunnels[0].name')
echo "same $(curl -s "$web/api/tunnels/$name" | jq -r .public_url)"
echo "status $(curl -s "$web/api/status" | jq -r .status)"

last=$(curl -s "$web/api/requests/http?limit=1&tunnel_name=$name" | jq '.requests[0]')
id=$(printf '%s' "$last" | jq -r .id)
echo "request $(printf '%s' "$last" | jq -r '.request.method + " " + .request.uri')"
echo "type $(printf '%s' "$last" | jq -r '.request.headers["Content-Type"][0]')"
echo "code $(printf '%s' "$last" | jq -r .response.status_code)"
echo "body $(curl -s "$web/api/requests/http/$id" | jq -r .request.raw | base64 -d | sed '1,/^\r$/d')"

curl -s -o /dev/null -w 'replay %{http_code}\n' -H 'Content-Type: application/json' \
  -H "Authorization: Bearer ${TOKEN:-none}" -d "{\"id\":\"$id\",\"tunnel_name\":\"$name\"}" "$web/api/requests/http"
