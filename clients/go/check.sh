#!/usr/bin/env bash
# Everything a change of the Go library must pass. Needs Go and, for the generated code, the repository's `npm ci`.
# Every step runs, so that one failure does not hide another.
set -uo pipefail
cd "$(dirname "$0")"
failed=()
step() {
  local name=$1
  shift
  echo "--- $name"
  "$@" || { echo "--- $name: FAILED"; failed+=("$name"); }
}

format() {
  local files
  files=$(gofmt -l . ../../examples/go-tcp-check)
  [[ -z $files ]] || { echo "run gofmt -w on: $files"; return 1; }
}

generated() {
  local fresh
  fresh=$(mktemp -d)
  PATH=../../node_modules/.bin:$PATH buf generate --output "$fresh" && diff -r gen "$fresh/gen" ||
    { echo "gen/ is not what proto/ generates: run \"go generate .\" in clients/go"; rm -rf "$fresh"; return 1; }
  rm -rf "$fresh"
}

step "gofmt" format
step "go mod verify" go mod verify
step "go vet" go vet ./...
step "go vet, example" env -C ../../examples/go-tcp-check go vet ./...
step "generated code current" generated
step "go test -race" go test -race ./...
if ((${#failed[@]} > 0)); then
  printf 'the Go library is not in order: %s\n' "${failed[@]}"
  exit 1
fi
echo "the Go library is in order"
