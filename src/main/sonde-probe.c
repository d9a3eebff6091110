/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-probe: active measurements from the shell or for a node. */
#include "base/cli.h"
#include "probe/methods.h"

int main(int argc, char **argv)
{
	return sn_cli_main(sn_probe_program(), argc, argv);
}
