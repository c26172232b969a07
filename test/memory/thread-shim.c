/*
 * Calls that rustc's LLVM puts into code for ThreadSanitizer, and that gcc's runtime does not have under these names. It
 * watches memcpy(3) and its kin themselves, so these need only call them.
 */

#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t length)
{
	return memcpy(to, from, length);
}

void *__tsan_memmove(void *to, const void *from, size_t length)
{
	return memmove(to, from, length);
}

void *__tsan_memset(void *to, int byte, size_t length)
{
	return memset(to, byte, length);
}
