/* The registers and coils of modbus.ts, served by libmodbus, one connection after the other. */
#include <modbus/modbus.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT 2000

int main(int argc, char **argv) {
  modbus_t *server = modbus_new_tcp("127.0.0.1", atoi(argv[argc - 1]));
  modbus_mapping_t *map = modbus_mapping_new(COUNT, COUNT, COUNT, COUNT);
  for (int i = 0; i < COUNT; i++) {
    map->tab_registers[i] = map->tab_input_registers[i] = (i * 40503u + 12345u) & 0xffff;
    map->tab_bits[i] = map->tab_input_bits[i] = i * 7 % 3 == 0;
  }
  int listener = modbus_tcp_listen(server, 4);
  for (;;) {
    if (modbus_tcp_accept(server, &listener) < 0) return 1;
    unsigned char query[MODBUS_TCP_MAX_ADU_LENGTH];
    int length;
    while ((length = modbus_receive(server, query)) >= 0)
      if (length > 0) modbus_reply(server, query, length, map);
    modbus_close(server);
  }
}
