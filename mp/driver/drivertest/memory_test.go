package drivertest_test

import (
	"testing"

	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

func TestMemory(t *testing.T) {
	drivertest.Run(t, func(*testing.T) driver.Place { return drivertest.Memory() })
}

func TestMemoryDeath(t *testing.T) {
	drivertest.RunDeath(t, func(*testing.T) (victim, witness driver.Place, kill func()) {
		s := drivertest.NewStore()
		dead := s.Join()
		return dead, s.Join(), dead.Kill
	})
}
