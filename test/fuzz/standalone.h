/*
 * standalone.h
 *		A main() for a fuzz target: tries the files named on the command line.
 *
 * For compilers without libFuzzer, with -DSTANDALONE; included at a target's end.
 */
#ifdef STANDALONE
#include <stdio.h>

int
main(int argc, char **argv)
{
	static unsigned char data[4 << 20];

	for (int i = 1; i < argc; i++)
	{
		FILE *file = fopen(argv[i], "rb");
		size_t size = file ? fread(data, 1, sizeof(data), file) : 0;

		if (file == NULL)
			return 2;
		fclose(file);
		LLVMFuzzerTestOneInput(data, size);
	}
	return 0;
}
#endif
