package registry

import (
	"testing"

	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }
