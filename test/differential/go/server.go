// The registers and coils of modbus.ts, served by simonvetter/modbus.
package main

import (
	"os"

	"github.com/simonvetter/modbus"
)

const count = 2000

type memory struct{}

func bits(address, quantity uint16) ([]bool, error) {
	if int(address)+int(quantity) > count {
		return nil, modbus.ErrIllegalDataAddress
	}
	var all []bool
	for i := int(address); i < int(address)+int(quantity); i++ {
		all = append(all, i*7%3 == 0)
	}
	return all, nil
}

func registers(address, quantity uint16) ([]uint16, error) {
	if int(address)+int(quantity) > count {
		return nil, modbus.ErrIllegalDataAddress
	}
	var all []uint16
	for i := int(address); i < int(address)+int(quantity); i++ {
		all = append(all, uint16(i*40503+12345))
	}
	return all, nil
}

func (memory) HandleCoils(r *modbus.CoilsRequest) ([]bool, error) {
	return bits(r.Addr, r.Quantity)
}

func (memory) HandleDiscreteInputs(r *modbus.DiscreteInputsRequest) ([]bool, error) {
	return bits(r.Addr, r.Quantity)
}

func (memory) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	return registers(r.Addr, r.Quantity)
}

func (memory) HandleInputRegisters(r *modbus.InputRegistersRequest) ([]uint16, error) {
	return registers(r.Addr, r.Quantity)
}

func main() {
	server, err := modbus.NewServer(&modbus.ServerConfiguration{
		URL: "tcp://127.0.0.1:" + os.Args[1], MaxClients: 8,
	}, memory{})
	if err != nil {
		panic(err)
	}
	if err = server.Start(); err != nil {
		panic(err)
	}
	select {}
}
