/* SPDX-License-Identifier: MIT */
/* Makes the original libwinpthread-1.dll, under its new name, be loaded before the drop-in starts:
   one function of it is imported. What is handed on is up to the generated definitions. */
__attribute__((dllimport)) extern void pthread_testcancel(void);

void fs_drop_in_import(void);

/* Nobody calls it. */
void fs_drop_in_import(void)
{
    pthread_testcancel();
}
