/*
 * The yardstick for Outfield's ambient occlusion kernel: the scene and method of the public aobench, written the plain
 * way. Double precision, one ray after the other, the nearest hit searched for every ray, a 48-bit linear congruential
 * generator as in drand48. It is meant to be straightforward, not fast; the compiler may do what it can.
 *
 *     gcc -O3 -march=native -ffast-math ao_reference.c -o ao_reference -lm
 *     ./ao_reference SIZE SUBSAMPLES AO_SAMPLES REPEAT [IMAGE.pgm]
 *
 * Prints {"ms": [wall time per repeat], "mean": mean linear value of the image}.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct { double x, y, z; } vec;
typedef struct { vec centre; double radius; } sphere;
typedef struct { double t; vec point, normal; int found; } hit;

static const sphere SPHERES[3] = {
    {{-2.0, 0.0, -3.5}, 0.5}, {{-0.5, 0.0, -3.0}, 0.5}, {{1.0, 0.0, -2.2}, 0.5}};
static const double FLOOR_Y = -0.5, LIFT = 1e-4, PI = 3.14159265358979323846;

static uint64_t state = 0x1234ABCD330EULL;

static double uniform(void)
{
    state = (state * 0x5DEECE66DULL + 0xBULL) & ((1ULL << 48) - 1);
    return (double)state / (double)(1ULL << 48);
}

static vec add(vec a, vec b) { return (vec){a.x + b.x, a.y + b.y, a.z + b.z}; }
static vec sub(vec a, vec b) { return (vec){a.x - b.x, a.y - b.y, a.z - b.z}; }
static vec mul(vec a, double s) { return (vec){a.x * s, a.y * s, a.z * s}; }
static double dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec cross(vec a, vec b)
{
    return (vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
static vec unit(vec a) { return mul(a, 1.0 / sqrt(dot(a, a))); }

static void meet_sphere(hit *nearest, const sphere *s, vec origin, vec direction)
{
    vec arm = sub(origin, s->centre);
    double b = dot(arm, direction), c = dot(arm, arm) - s->radius * s->radius, d = b * b - c;
    if (d <= 0.0) return;
    double t = -b - sqrt(d);
    if (t <= 0.0 || t >= nearest->t) return;
    nearest->t = t;
    nearest->found = 1;
    nearest->point = add(origin, mul(direction, t));
    nearest->normal = unit(sub(nearest->point, s->centre));
}

static void meet_floor(hit *nearest, vec origin, vec direction)
{
    if (fabs(direction.y) < 1e-17) return;
    double t = (FLOOR_Y - origin.y) / direction.y;
    if (t <= 0.0 || t >= nearest->t) return;
    nearest->t = t;
    nearest->found = 1;
    nearest->point = add(origin, mul(direction, t));
    nearest->normal = (vec){0.0, 1.0, 0.0};
}

static hit trace(vec origin, vec direction)
{
    hit nearest = {1e17, {0, 0, 0}, {0, 0, 0}, 0};
    for (int i = 0; i < 3; i++) meet_sphere(&nearest, &SPHERES[i], origin, direction);
    meet_floor(&nearest, origin, direction);
    return nearest;
}

static double openness(const hit *seen, int side)
{
    vec n = seen->normal, helper = {0, 0, 0};
    if (fabs(n.x) < 0.6) helper.x = 1.0;
    else if (fabs(n.y) < 0.6) helper.y = 1.0;
    else helper.z = 1.0;
    vec a = unit(cross(helper, n)), b = cross(n, a), origin = add(seen->point, mul(n, LIFT));
    int open = 0;
    for (int j = 0; j < side * side; j++) {
        double radius = sqrt(uniform()), phi = 2.0 * PI * uniform();
        double x = cos(phi) * radius, y = sin(phi) * radius, z = sqrt(1.0 - radius * radius);
        vec direction = add(add(mul(a, x), mul(b, y)), mul(n, z));
        open += !trace(origin, direction).found;
    }
    return (double)open / (side * side);
}

static void render(float *image, int size, int subsamples, int side)
{
    double half = size / 2.0;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            double sum = 0.0;
            for (int v = 0; v < subsamples; v++)
                for (int u = 0; u < subsamples; u++) {
                    double px = (x + (double)u / subsamples - half) / half;
                    double py = (half - y - (double)v / subsamples) / half;
                    hit seen = trace((vec){0, 0, 0}, unit((vec){px, py, -1.0}));
                    if (seen.found) sum += openness(&seen, side);
                }
            image[y * size + x] = (float)(sum / (subsamples * subsamples));
        }
}

static void write_pgm(const char *path, const float *image, int size)
{
    FILE *file = fopen(path, "wb");
    if (!file) { perror(path); exit(1); }
    fprintf(file, "P5\n%d %d\n255\n", size, size);
    for (int i = 0; i < size * size; i++) fputc((int)(image[i] * 255.0f + 0.5f), file);
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s SIZE SUBSAMPLES AO_SAMPLES REPEAT [IMAGE.pgm]\n", argv[0]);
        return 2;
    }
    int size = atoi(argv[1]), subsamples = atoi(argv[2]), side = atoi(argv[3]), repeat = atoi(argv[4]);
    float *image = calloc((size_t)size * size, sizeof *image);
    if (!image) return 1;
    printf("{\"ms\": [");
    for (int i = 0; i < repeat; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        render(image, size, subsamples, side);
        clock_gettime(CLOCK_MONOTONIC, &to);
        printf("%s%.3f", i ? ", " : "", (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) * 1e-6);
    }
    double mean = 0.0;
    for (int i = 0; i < size * size; i++) mean += image[i];
    printf("], \"mean\": %.6f}\n", mean / ((double)size * size));
    if (argc > 5) write_pgm(argv[5], image, size);
    free(image);
    return 0;
}
