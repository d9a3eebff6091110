/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/cli/command.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/verbs.h"

char said[16384];

int run_words(const char *const *words)
{
	char *argv[32] = {(char *)"sonde"};
	int argc = 1, fds[2], status;
	size_t size = 0;
	ssize_t got;
	pid_t pid;

	for (; *words != NULL && argc < 31; words++)
		argv[argc++] = (char *)*words;
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		status = sn_cli_run(argc, argv);
		fflush(NULL);
		_exit(status);
	}
	close(fds[1]);
	while (size < sizeof(said) - 1 &&
	       (got = read(fds[0], said + size, sizeof(said) - 1 - size)) > 0)
		size += (size_t)got;
	said[size] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int run(const char *line)
{
	sn_autofree char *copy = sn_xstrdup(line);
	const char *words[32] = {NULL};
	size_t count = 0;

	for (char *word = strtok(copy, " "); word != NULL && count < 31; word = strtok(NULL, " "))
		words[count++] = word;
	return run_words(words);
}
