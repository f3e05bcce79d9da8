// Package generate regenerates gen/ from the contract in proto/; see the README.
package generate

//go:generate npx buf generate
