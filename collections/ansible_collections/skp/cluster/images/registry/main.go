// SPDX-License-Identifier: GPL-3.0-or-later

// The distribution registry with what a cluster's own registry uses: a file system behind it. The registry's own main package also links the SDKs of three
// cloud stores, which triples the time to compile it and is more code to keep patched.
package main

import (
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/proxy"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if err := registry.RootCmd.Execute(); err != nil {
		os.Exit(1)
	}
}
