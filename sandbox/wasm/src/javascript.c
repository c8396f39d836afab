/* javascript: runs one script with QuickJS, as a WASI command.
 *
 *   javascript FILE [ARGUMENT...]     a script of /workspace
 *   javascript -e CODE [ARGUMENT...]  a script that stands in the arguments
 *
 * The script has ECMAScript 2020 and these: `args` (a list of texts), `stdin()` (all of it, as text), `print(...)` and
 * `console.log(...)` to stdout, `console.error(...)` to stderr, `readFile(path)` and `writeFile(path, text)` below
 * /workspace, `exit(code)`. `Math.random()` begins with the sandbox's random bytes, not with the clock. No modules, no
 * timers, no process, no network. Promises run to their end. Exit 0; 1 when the script throws, with its stack on stderr;
 * 2 for wrong arguments.
 */
#include <fenv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "quickjs.h"

/* Of the script's own stack, inside the module's. */
#define SCRIPT_STACK (256 * 1024)
#define MAX_READ (16 * 1024 * 1024)
/* The longest exact decimal expansion of a double has 1,074 digits after the point and 309 before it. */
#define EXACT 1074
#define DIGITS 1500

/* --- Rounding. ECMAScript rounds the last digit of toFixed, toExponential and toPrecision half up, which QuickJS finds
 * out by directed rounding in printf. WASI has no rounding modes, so the directed digits are made here of the exact ones;
 * without this (2.5).toFixed(0) is "2". The build names these two in place of the library's. */

static int rounding = FE_TONEAREST;

int writ_fesetround(int mode) {
  rounding = mode;
  return 0;
}

/* `digits` has `length` characters, of which some are no digits: adds one to the last. 1 when it carried out of the first. */
static int increment(char *digits, int length) {
  for (int i = length - 1; i >= 0; i--) {
    if (digits[i] < '0' || digits[i] > '9') continue;
    if (digits[i] != '9') {
      digits[i]++;
      return 0;
    }
    digits[i] = '0';
  }
  return 1;
}

static int has_digit_above_zero(const char *text) {
  for (; *text != '\0' && *text != 'e'; text++)
    if (*text > '0' && *text <= '9') return 1;
  return 0;
}

/* "%.*f" rounded up or down. */
static int fixed_directed(char *out, size_t size, int precision, double d) {
  static char exact[DIGITS];
  int length = snprintf(exact, sizeof exact, "%.*f", EXACT, d);
  int keep = length - EXACT + precision;
  if (precision == 0) keep--;
  int away = has_digit_above_zero(exact + keep) && (rounding == FE_UPWARD) == (exact[0] != '-');
  int sign = exact[0] == '-';
  exact[keep] = '\0';
  int carried = away && increment(exact + sign, keep - sign);
  return snprintf(out, size, "%s%s%s", sign ? "-" : "", carried ? "1" : "", exact + sign);
}

/* "%+.*e" rounded up or down. */
static int exponent_directed(char *out, size_t size, int precision, double d) {
  static char exact[DIGITS];
  snprintf(exact, sizeof exact, "%+.*e", EXACT, d);
  char *e = strchr(exact, 'e');
  int exponent = atoi(e + 1);
  int keep = 2 + (precision > 0 ? 1 + precision : 0);
  int away = has_digit_above_zero(exact + keep) && (rounding == FE_UPWARD) == (exact[0] != '-');
  exact[keep] = '\0';
  if (away && increment(exact + 1, keep - 1)) {
    /* 9.99 became 0.00: it is 1.00 of the next power. */
    exact[1] = '1';
    exponent++;
  }
  return snprintf(out, size, "%se%c%02d", exact, exponent < 0 ? '-' : '+', abs(exponent));
}

int writ_snprintf(char *out, size_t size, const char *format, ...) {
  va_list parts;
  va_start(parts, format);
  int length;
  if (rounding == FE_TONEAREST) {
    length = vsnprintf(out, size, format, parts);
  } else {
    int precision = va_arg(parts, int);
    double d = va_arg(parts, double);
    length = strchr(format, 'e') != NULL ? exponent_directed(out, size, precision, d)
                                         : fixed_directed(out, size, precision, d);
  }
  va_end(parts);
  return length;
}

/* --- What a script can call. */

static char *read_all(FILE *file, size_t *length) {
  size_t room = 1 << 16;
  size_t used = 0;
  char *bytes = malloc(room);
  while (bytes != NULL) {
    used += fread(bytes + used, 1, room - used - 1, file);
    if (used < room - 1) break;
    if (room > MAX_READ) {
      free(bytes);
      return NULL;
    }
    room *= 2;
    char *larger = realloc(bytes, room);
    if (larger == NULL) free(bytes);
    bytes = larger;
  }
  if (bytes == NULL) return NULL;
  bytes[used] = '\0';
  *length = used;
  return bytes;
}

/* Relative paths are taken below /workspace, where a step's files are. */
static FILE *open_path(const char *path, const char *mode) {
  char full[1024];
  int length = snprintf(full, sizeof full, "%s%s", path[0] == '/' ? "" : "/workspace/", path);
  return length < (int)sizeof full ? fopen(full, mode) : NULL;
}

static JSValue print_to(JSContext *context, FILE *file, int count, JSValueConst *values) {
  for (int i = 0; i < count; i++) {
    size_t length;
    const char *text = JS_ToCStringLen(context, &length, values[i]);
    if (text == NULL) return JS_EXCEPTION;
    if (i > 0) fputc(' ', file);
    fwrite(text, 1, length, file);
    JS_FreeCString(context, text);
  }
  fputc('\n', file);
  return JS_UNDEFINED;
}

static JSValue js_print(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  return print_to(context, stdout, count, values);
}

static JSValue js_error(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  return print_to(context, stderr, count, values);
}

static JSValue js_stdin(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  size_t length;
  char *text = read_all(stdin, &length);
  if (text == NULL) return JS_ThrowRangeError(context, "stdin has more than 16 MiB");
  JSValue value = JS_NewStringLen(context, text, length);
  free(text);
  return value;
}

static JSValue js_read_file(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  const char *path = JS_ToCString(context, values[0]);
  if (path == NULL) return JS_EXCEPTION;
  FILE *file = open_path(path, "rb");
  size_t length;
  char *text = file == NULL ? NULL : read_all(file, &length);
  if (file != NULL) fclose(file);
  JSValue value = text == NULL ? JS_ThrowReferenceError(context, "%s can't be read", path)
                               : JS_NewStringLen(context, text, length);
  free(text);
  JS_FreeCString(context, path);
  return value;
}

static JSValue js_write_file(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  const char *path = JS_ToCString(context, values[0]);
  size_t length;
  const char *text = path == NULL ? NULL : JS_ToCStringLen(context, &length, values[1]);
  JSValue value = JS_EXCEPTION;
  if (text != NULL) {
    FILE *file = open_path(path, "wb");
    int written = file != NULL && fwrite(text, 1, length, file) == length;
    if (file != NULL && fclose(file) != 0) written = 0;
    value = written ? JS_UNDEFINED : JS_ThrowReferenceError(context, "%s can't be written", path);
  }
  JS_FreeCString(context, text);
  JS_FreeCString(context, path);
  return value;
}

static JSValue js_exit(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  int32_t code = 0;
  if (count > 0 && JS_ToInt32(context, &code, values[0])) return JS_EXCEPTION;
  exit(code & 0xff);
}

/* QuickJS would begin with the time alone: equal for two runs at the same moment, and for all runs with a fixed clock. */
static uint64_t random_state = 0;

static JSValue js_random(JSContext *context, JSValueConst self, int count, JSValueConst *values) {
  if (random_state == 0) {
    if (getentropy(&random_state, sizeof random_state) != 0)
      return JS_ThrowInternalError(context, "there are no random bytes");
    if (random_state == 0) random_state = 1;
  }
  /* xorshift64*, as QuickJS has it; 53 bits of it are a number below 1. */
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return JS_NewFloat64(context, (double)(random_state * 0x2545F4914F6CDD1D >> 11) * 0x1p-53);
}

static void define(JSContext *context, JSValueConst object, const char *name, JSCFunction *function, int count) {
  JS_SetPropertyStr(context, object, name, JS_NewCFunction(context, function, name, count));
}

static void define_all(JSContext *context, int count, char **arguments) {
  JSValue global = JS_GetGlobalObject(context);
  define(context, global, "print", js_print, 1);
  define(context, global, "stdin", js_stdin, 0);
  define(context, global, "readFile", js_read_file, 1);
  define(context, global, "writeFile", js_write_file, 2);
  define(context, global, "exit", js_exit, 1);
  JSValue console = JS_NewObject(context);
  define(context, console, "log", js_print, 1);
  define(context, console, "error", js_error, 1);
  JS_SetPropertyStr(context, global, "console", console);
  JSValue math = JS_GetPropertyStr(context, global, "Math");
  JS_DefinePropertyValueStr(context, math, "random", JS_NewCFunction(context, js_random, "random", 0),
                            JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
  JS_FreeValue(context, math);
  JSValue list = JS_NewArray(context);
  for (int i = 0; i < count; i++)
    JS_SetPropertyUint32(context, list, i, JS_NewString(context, arguments[i]));
  JS_SetPropertyStr(context, global, "args", list);
  JS_FreeValue(context, global);
}

/* Always 1, the exit code. */
static int tell(JSContext *context) {
  JSValue error = JS_GetException(context);
  print_to(context, stderr, 1, &error);
  if (JS_IsError(context, error)) {
    JSValue stack = JS_GetPropertyStr(context, error, "stack");
    if (!JS_IsUndefined(stack)) print_to(context, stderr, 1, &stack);
    JS_FreeValue(context, stack);
  }
  JS_FreeValue(context, error);
  return 1;
}

/* A rejection that nobody has handled when all is done is a failure. */
static int unhandled = 0;
static void track(JSContext *context, JSValueConst promise, JSValueConst reason, JS_BOOL handled, void *opaque) {
  if (handled) {
    unhandled--;
    return;
  }
  unhandled++;
  fputs("unhandled rejection: ", stderr);
  print_to(context, stderr, 1, &reason);
}

static int run(const char *name, const char *code, size_t length, int count, char **arguments) {
  JSRuntime *runtime = JS_NewRuntime();
  JSContext *context = runtime == NULL ? NULL : JS_NewContext(runtime);
  if (context == NULL) {
    fputs("not enough memory\n", stderr);
    return 1;
  }
  JS_SetMaxStackSize(runtime, SCRIPT_STACK);
  JS_SetHostPromiseRejectionTracker(runtime, track, NULL);
  define_all(context, count, arguments);
  JSValue value = JS_Eval(context, code, length, name, JS_EVAL_TYPE_GLOBAL);
  if (JS_IsException(value)) return tell(context);
  JS_FreeValue(context, value);
  JSContext *job;
  int more;
  while ((more = JS_ExecutePendingJob(runtime, &job)) > 0) continue;
  if (more < 0) return tell(job);
  return unhandled > 0;
}

int main(int count, char **arguments) {
  /* Without arguments there is nothing to run: a warm-up, which makes the engine ready for a script. */
  if (count < 2) return run("warm-up", "JSON.stringify([1.5])", 21, 0, NULL);
  if (strcmp(arguments[1], "-e") == 0) {
    if (count < 3) {
      fputs("usage: javascript FILE [ARGUMENT...] | -e CODE [ARGUMENT...]\n", stderr);
      return 2;
    }
    return run("script", arguments[2], strlen(arguments[2]), count - 3, arguments + 3);
  }
  FILE *file = open_path(arguments[1], "rb");
  size_t length;
  char *code = file == NULL ? NULL : read_all(file, &length);
  if (code == NULL) {
    fprintf(stderr, "%s can't be read\n", arguments[1]);
    return 2;
  }
  fclose(file);
  return run(arguments[1], code, length, count - 2, arguments + 2);
}
