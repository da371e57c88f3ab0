// Fused TensorFlow ops for the CPU: each makes one pass over memory where a composition of stock ops makes many.
//
// T is the compute dtype, float or bfloat16: what matrix products read and write. All sums are in float32 and in an order that depends on shapes
// alone, so that the bits are the same on any number of threads. Vectors are GCC's own: without AVX-512 the compiler
// splits them, with it they are registers. NaN and infinity pass through every op to the loss and to the gradients.
// Every op checks the sizes of its inputs first: an input that does not fit is an error, never a read outside memory.
//
// Letters: N tokens of all lines of a batch, C width, V vocabulary, H heads, D = C/H padded to whole vectors.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/util/work_sharder.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif
#ifdef __AMX_BF16__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#ifdef __FAST_MATH__
#error "compile without -ffast-math: NaN and rounding must be what they are"
#endif

using namespace tensorflow;  // NOLINT: TensorFlow's own ops do the same.
using shape_inference::InferenceContext;

// Node closes a library that does not register itself as a module, and with it the ops that TensorFlow holds.
extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) { return exports; }

namespace {

// ---- Vectors of 16 numbers ------------------------------------------------------------------------------------------

constexpr int64_t LANES = 16;
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint64_t Longs __attribute__((vector_size(64)));
typedef Floats FloatsAnywhere __attribute__((aligned(4), may_alias));

inline Floats all(float x) { return x - Floats{}; }
const Ints INDEX = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

inline Floats load(const float* from) { return *reinterpret_cast<const FloatsAnywhere*>(from); }
inline Floats load(const bfloat16* from) {
  Halves x;
  memcpy(&x, from, sizeof x);
  return (Floats)(__builtin_convertvector(x, Words) << 16);
}
inline Halves rounded(Floats x) {
#ifdef __AVX512BF16__
  return (Halves)_mm512_cvtneps_pbh((__m512)x);
#endif
  const Words bits = (Words)x;
  const Words nearest = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return __builtin_convertvector(x == x ? nearest : Words{} + 0x7fc0, Halves);
}
inline void store(float* to, Floats x) { *reinterpret_cast<FloatsAnywhere*>(to) = x; }
inline void store(bfloat16* to, Floats x) {
  const Halves h = rounded(x);
  memcpy(to, &h, sizeof h);
}

// The same for the first `count` of 16. A constant count of 16 costs nothing.
template <class T, class Count>
inline Floats load(const T* from, Count count, float rest = 0) {
  if (count == LANES) return load(from);
  T part[LANES];
  std::fill(part, part + LANES, static_cast<T>(rest));
  memcpy(part, from, count * sizeof(T));
  return load(part);
}
template <class T, class Count>
inline void store(T* to, Floats x, Count count) {
  if (count == LANES) return store(to, x);
  T part[LANES];
  store(part, x);
  memcpy(to, part, count * sizeof(T));
}

// Calls body(index, count) for whole vectors, then for what is left of n.
template <class Body>
inline void each(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) body(i, std::integral_constant<int64_t, LANES>());
  if (i < n) body(i, n - i);
}

inline float sum(Floats x) {
  float total = 0;
  for (int i = 0; i < LANES; i++) total += x[i];
  return total;
}
// a if a > b, else b: one instruction. A NaN in b passes.
inline Floats larger(Floats a, Floats b) {
#ifdef __AVX512F__
  return (Floats)_mm512_max_ps((__m512)a, (__m512)b);
#endif
  return a > b ? a : b;
}
inline Floats smaller(Floats a, Floats b) { return -larger(-a, -b); }
inline float largest(Floats x) {
  float most = x[0];
  for (int i = 1; i < LANES; i++) most = std::max(most, x[i]);
  return most;
}
inline Floats squareRoot(Floats x) {
#ifdef __AVX512F__
  return (Floats)_mm512_sqrt_ps((__m512)x);
#endif
  for (int i = 0; i < LANES; i++) x[i] = std::sqrt(x[i]);
  return x;
}

// e^x to about 2e-7 relative, for x of at most 88: 2^n times a polynomial of the rest.
inline Floats exponential(Floats x) {
  x = larger(all(-87), x);
  const Floats shifted = x * 1.44269504f + 12582912.f;  // 1.5 * 2^23: what is left in the last bits is the nearest integer.
  const Floats n = shifted - 12582912.f;
  const Floats r = x - n * 0.693145752f - n * 1.42860677e-6f;
  Floats p = all(1.f / 720);
  for (float c : {1.f / 120, 1.f / 24, 1.f / 6, 0.5f, 1.f, 1.f}) p = p * r + c;
  // Of a NaN the shift would make any number: its low bits land in the exponent.
  return x == x ? (Floats)((Ints)p + (((Ints)shifted) << 23)) : x;
}
inline Floats sigmoid(Floats x) {
  return 1.f / (1.f + exponential(smaller(all(87), -x)));
}

inline bool isMatrix(const Tensor& x) { return x.dims() == 2; }
inline bool has(const Tensor& x, int64_t elements) { return x.NumElements() == elements; }
// An optional input: none, or one tensor of so many elements.
inline bool fits(const OpInputList& list, int64_t elements) { return list.size() == 0 || (list.size() == 1 && has(list[0], elements)); }

inline int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

// ---- Work on threads ------------------------------------------------------------------------------------------------

// body(from, to) on the threads of the device; cost in cycles per item.
template <class Body>
void parallel(OpKernelContext* context, int64_t items, int64_t cost, Body body) {
  const auto* threads = context->device()->tensorflow_cpu_worker_threads();
  if (items > 0) Shard(threads->num_threads, threads->workers, items, std::max<int64_t>(cost, 1), body);
}

// Rows per block of a sum over rows: blocks, and not threads, decide the order of addition.
constexpr int64_t BLOCK = 32;

// Sums blocks of rows on threads: body(row, sums) adds one row to `width` sums; the sums of all blocks are added in order to `out`.
template <class Body>
void sumOverRows(OpKernelContext* context, int64_t rows, int64_t width, int64_t cost, float* out, Body body) {
  const int64_t blocks = (rows + BLOCK - 1) / BLOCK;
  std::vector<float> partial(blocks * width, 0.f);
  parallel(context, blocks, BLOCK * cost, [&](int64_t from, int64_t to) {
    for (int64_t b = from; b < to; b++)
      for (int64_t row = b * BLOCK; row < std::min(rows, (b + 1) * BLOCK); row++) body(row, &partial[b * width]);
  });
  parallel(context, (width + 255) / 256, 256 * blocks / 4 + 1, [&](int64_t from, int64_t to) {
    const int64_t first = from * 256, n = std::min(width, to * 256) - first;
    std::fill(out + first, out + first + n, 0.f);
    for (int64_t b = 0; b < blocks; b++)
      each(n, [&](int64_t j, auto k) {
        store(out + first + j, load(out + first + j, k) + load(&partial[b * width + first + j], k), k);
      });
  });
}

template <class T>
inline void addTo(float* sums, const T* row, int64_t n) {
  each(n, [&](int64_t j, auto k) { store(sums + j, load(sums + j, k) + load(row + j, k), k); });
}

template <class T>
const T* data(const Tensor& t) { return t.flat<T>().data(); }
template <class T>
T* data(Tensor* t) { return t->flat<T>().data(); }

// ---- Dropout: Philox 4x32-10 (Salmon et al. 2011), the numbers of StatelessRandomUniform with seed [seed, stream] ------

struct Philox {
  uint32_t key[2], high[2];
  Words threshold;
  float kept;

  static void rounds(Words (&x)[4], uint32_t k, uint32_t l) {
    for (int round = 0; round < 10; round++, k += 0x9e3779b9, l += 0xbb67ae85) {
      Words low0, high0, low2, high2;
      multiply(x[0], 0xd2511f53, &low0, &high0);
      multiply(x[2], 0xcd9e8d57, &low2, &high2);
      x[0] = high2 ^ x[1] ^ k;
      x[2] = high0 ^ x[3] ^ l;
      x[1] = low2;
      x[3] = low0;
    }
  }
  static void multiply(Words x, uint32_t by, Words* low, Words* high) {
#ifdef __AVX512F__
    const __m512i factor = _mm512_set1_epi64(by);
    const Longs even = (Longs)_mm512_mul_epu32((__m512i)x, factor);
    const Longs odd = (Longs)_mm512_mul_epu32((__m512i)((Longs)x >> 32), factor);
#else
    const Longs even = ((Longs)x & 0xffffffff) * by, odd = ((Longs)x >> 32) * by;
#endif
    *low = (Words)((even & 0xffffffff) | (odd << 32));
    *high = (Words)((even >> 32) | (odd & 0xffffffff00000000));
  }

  Philox(uint32_t seed, uint32_t stream, float rate) : kept(1 / (1 - rate)) {
    Words x[4] = {Words{} + seed, Words{}, Words{} + stream, Words{}};
    rounds(x, 0x3ec8f720, 0x02461e29);
    key[0] = x[0][0], key[1] = x[1][0], high[0] = x[2][0], high[1] = x[3][0];
    threshold = Words{} + static_cast<uint32_t>(std::ceil(double(rate) * (1 << 23)));
  }

  // Factors of n elements from number `start` on: 1 / (1 - rate) or 0. `out` has room for 64 more.
  const float* factors(uint64_t start, int64_t n, float* out) const {
    uint64_t counter = start / 4;
    for (int64_t done = 0; done < n + 3; done += 4 * LANES, counter += LANES) {
      const Words low = (Words)INDEX + static_cast<uint32_t>(counter);
      Words x[4] = {low, Words{} + static_cast<uint32_t>(counter >> 32), Words{} + high[0], Words{} + high[1]};
      x[1] += (Words)(low < static_cast<uint32_t>(counter)) & 1;
      rounds(x, key[0], key[1]);
      for (Words& words : x) words = (Words)((words & 0x7fffff) >= threshold ? all(kept) : Floats{});
      // Four vectors of words are turned into the four words of each counter in turn.
      const Words LOW = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23}, HIGH = LOW + 8;
      const Longs EVEN = {0, 8, 1, 9, 2, 10, 3, 11}, ODD = EVEN + 4;
      for (int half = 0; half < 2; half++) {
        const Longs first = (Longs)__builtin_shuffle(x[0], x[1], half ? HIGH : LOW);
        const Longs second = (Longs)__builtin_shuffle(x[2], x[3], half ? HIGH : LOW);
        store(out + done + 32 * half, (Floats)__builtin_shuffle(first, second, EVEN));
        store(out + done + 32 * half + 16, (Floats)__builtin_shuffle(first, second, ODD));
      }
    }
    return out + start % 4;
  }
};

// Attributes and seed of an op with dropout; with a rate of 0 it does nothing.
struct Dropout {
  float rate = 0;
  int64_t stream = 0;
  explicit Dropout(OpKernelConstruction* c) {
    OP_REQUIRES_OK(c, c->GetAttr("rate", &rate));
    OP_REQUIRES_OK(c, c->GetAttr("stream", &stream));
    OP_REQUIRES(c, rate >= 0 && rate < 1, errors::InvalidArgument("rate: expected 0 or more and less than 1"));
  }
  Philox philox(const Tensor& seed) const { return Philox(seed.scalar<int32>()(), stream, rate); }
};

// body(from, to) on pieces of n elements with their factors; null where there is no dropout.
template <class Body>
void withFactors(OpKernelContext* context, const Dropout& dropout, const Tensor& seed, int64_t n, Body body) {
  constexpr int64_t PIECE = 4096;
  const Philox philox = dropout.philox(seed);
  parallel(context, (n + PIECE - 1) / PIECE, PIECE * (dropout.rate > 0 ? 4 : 1), [&](int64_t from, int64_t to) {
    float room[PIECE + 80];
    for (int64_t p = from; p < to; p++) {
      const int64_t start = p * PIECE, end = std::min(n, start + PIECE);
      body(start, end, dropout.rate > 0 ? philox.factors(start, end - start, room) : nullptr);
    }
  });
}

Status sameShape(InferenceContext* c) {
  c->set_output(0, c->input(0));
  return absl::OkStatus();
}
Status anyShape(InferenceContext* c) {
  for (int i = 0; i < c->num_outputs(); i++) c->set_output(i, c->UnknownShape());
  return absl::OkStatus();
}

#define REGISTER_FOR_BOTH(NAME, CLASS)                                                               \
  REGISTER_KERNEL_BUILDER(Name(NAME).Device(DEVICE_CPU).TypeConstraint<float>("T"), CLASS<float>); \
  REGISTER_KERNEL_BUILDER(Name(NAME).Device(DEVICE_CPU).TypeConstraint<bfloat16>("T"), CLASS<bfloat16>)

// ---- Softmax cross-entropy --------------------------------------------------------------------------------------------

// Loss of each row of logits [n, V] in nats, and its gradient times `scale`, written over the logits if nobody else reads
// them: scale (softmax - onehot). At the label softmax - 1 is expm1(-loss), which loses no digits as softmax nears 1.
REGISTER_OP("FusedSoftmaxCrossEntropy")
    .Input("logits: T").Input("labels: int32").Input("scale: float")
    .Output("loss: float").Output("gradient: T")
    .Attr("T: {float, bfloat16}").Attr("differentiate: bool")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(1));
      c->set_output(1, c->input(0));
      return absl::OkStatus();
    });

template <class T>
struct SoftmaxCrossEntropy : OpKernel {
  bool differentiate;
  explicit SoftmaxCrossEntropy(OpKernelConstruction* c) : OpKernel(c) {
    OP_REQUIRES_OK(c, c->GetAttr("differentiate", &differentiate));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor &logits = context->input(0), &labels = context->input(1);
    OP_REQUIRES(context, isMatrix(logits) && has(labels, logits.dim_size(0)) && has(context->input(2), 1),
                errors::InvalidArgument("cross-entropy: expected logits [n, V], n labels and one scale"));
    const int64_t rows = logits.dim_size(0), V = logits.dim_size(1);
    const int32* label = data<int32>(labels);
    for (int64_t i = 0; i < rows; i++)
      OP_REQUIRES(context, label[i] >= 0 && label[i] < V,
                  errors::InvalidArgument("cross-entropy: expected labels from 0 to ", V - 1, "; got ", label[i]));
    const float scale = context->input(2).scalar<float>()();
    Tensor *loss, *gradient;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({rows}), &loss));
    if (differentiate)
      OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 1, logits.shape(), &gradient));
    else
      OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({0, V}), &gradient));
    const T* z = data<T>(logits);
    T* dz = data<T>(gradient);
    float* losses = data<float>(loss);
    parallel(context, rows, V * 3, [=](int64_t from, int64_t to) {
      std::vector<float> exponentials(V);  // Stays in cache between the two passes over a row.
      for (int64_t i = from; i < to; i++) {
        const T* row = z + i * V;
        float* e = exponentials.data();
        Floats most = all(-INFINITY), total{};
        each(V, [&](int64_t j, auto k) { most = larger(most, load(row + j, k, -INFINITY)); });
        const float top = largest(most), target = static_cast<float>(row[label[i]]);
        const auto addExponentials = [&](int64_t first, int64_t end) {
          each(end - first, [&](int64_t j, auto k) {
            const Floats x = exponential(load(row + first + j, k, -INFINITY) - top);
            store(e + first + j, x, k);
            total += x;
          });
        };
        // The label apart: where it is all but certain, the loss is the sum of the others, far below the last digit of 1.
        addExponentials(0, label[i]);
        addExponentials(label[i] + 1, V);
        const float others = sum(total), all = others + std::exp(target - top);
        losses[i] = (target == top ? std::log1p(others) : std::log(all)) + (top - target);
        if (!differentiate) continue;
        T* out = dz + i * V;
        const float factor = scale / all;
        each(V, [&](int64_t j, auto k) { store(out + j, load(e + j, k) * factor, k); });
        out[label[i]] = static_cast<T>(std::expm1(-losses[i]) * scale);
      }
    });
  }
};
REGISTER_FOR_BOTH("FusedSoftmaxCrossEntropy", SoftmaxCrossEntropy);

// ---- Residual sum and layer norm --------------------------------------------------------------------------------------

// sum = x + dropout(branch), normal = (sum - mean) / std * gain + bias (Ba, Kiros & Hinton 2016) in T and, if wanted, in
// float32 too; statistics [N, 2] are mean and 1 / std. Without a branch: of x itself.
REGISTER_OP("FusedResidualNorm")
    .Input("x: float").Input("branch: branches * T").Input("gain: float").Input("bias: float").Input("seed: int32")
    .Output("sum: float").Output("normal: T").Output("normal_float32: float").Output("statistics: float")
    .Attr("T: {float, bfloat16}").Attr("branches: int >= 0").Attr("epsilon: float").Attr("rate: float").Attr("stream: int")
    .Attr("in_float32: bool")
    .SetShapeFn(anyShape);

template <class T>
struct ResidualNorm : OpKernel {
  float epsilon;
  bool inFloat32;
  Dropout dropout;
  explicit ResidualNorm(OpKernelConstruction* c) : OpKernel(c), dropout(c) {
    OP_REQUIRES_OK(c, c->GetAttr("epsilon", &epsilon));
    OP_REQUIRES_OK(c, c->GetAttr("in_float32", &inFloat32));
  }
  void Compute(OpKernelContext* context) override {
    OpInputList branches;
    OP_REQUIRES_OK(context, context->input_list("branch", &branches));
    const int at = branches.size();
    const Tensor& x = context->input(0);
    OP_REQUIRES(context, isMatrix(x), errors::InvalidArgument("residual norm: expected x [N, C]"));
    const int64_t C = x.dim_size(1), rows = x.dim_size(0);
    OP_REQUIRES(context, has(context->input(1 + at), C) && has(context->input(2 + at), C) && has(context->input(3 + at), 1) &&
                             fits(branches, rows * C),
                errors::InvalidArgument("residual norm: expected gain [C], bias [C], branch [N, C] and one seed"));
    const Philox philox = dropout.philox(context->input(3 + at));
    Tensor *sums, *normals, *normals32, *statistics;
    if (at)
      OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, x.shape(), &sums));
    else
      context->set_output(0, x);
    OP_REQUIRES_OK(context, context->allocate_output(1, x.shape(), &normals));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({inFloat32 ? rows : 0, C}), &normals32));
    OP_REQUIRES_OK(context, context->allocate_output(3, TensorShape({rows, 2}), &statistics));
    const float *from = data<float>(x), *gain = data<float>(context->input(1 + at)), *bias = data<float>(context->input(2 + at));
    const T* branch = at ? data<T>(branches[0]) : nullptr;
    float* to = at ? data<float>(sums) : const_cast<float*>(from);
    T* normal = data<T>(normals);
    float *normal32 = data<float>(normals32), *statistic = data<float>(statistics);
    parallel(context, rows, C * (dropout.rate > 0 ? 4 : 2), [&](int64_t first, int64_t last) {
      std::vector<float> room(C + 80);
      for (int64_t i = first; i < last; i++) {
        const float* keep = branch && dropout.rate > 0 ? philox.factors(i * C, C, room.data()) : nullptr;
        const float* row = from + i * C;
        float* out = to + i * C;
        Floats total{}, squares{};
        each(C, [&](int64_t j, auto k) {
          Floats v = load(row + j, k);
          if (branch) {
            const Floats b = load(branch + i * C + j, k);
            v += keep ? b * load(keep + j, k) : b;
            store(out + j, v, k);
          }
          total += v;
        });
        const float mean = sum(total) / C;
        each(C, [&](int64_t j, auto k) {
          const Floats d = load(out + j, k, mean) - mean;
          squares += d * d;
        });
        const float inverse = 1 / std::sqrt(sum(squares) / C + epsilon);
        each(C, [&](int64_t j, auto k) {
          const Floats y = (load(out + j, k) - mean) * inverse * load(gain + j, k) + load(bias + j, k);
          store(normal + i * C + j, y, k);
          if (inFloat32) store(normal32 + i * C + j, y, k);
        });
        statistic[2 * i] = mean;
        statistic[2 * i + 1] = inverse;
      }
    });
  }
};
REGISTER_FOR_BOTH("FusedResidualNorm", ResidualNorm);

// Gradients of x, of the branch, of gain and of bias. dsum, dnormal and dnormal_float32 are what arrived at the outputs, if anything did.
REGISTER_OP("FusedResidualNormGradient")
    .Input("sum: float").Input("statistics: float").Input("gain: float")
    .Input("dsum: dsums * float").Input("dnormal: dnormals * T").Input("dnormal_float32: dnormals_float32 * float").Input("seed: int32")
    .Output("dx: float").Output("dbranch: T").Output("dgain: float").Output("dbias: float")
    .Attr("T: {float, bfloat16}").Attr("dsums: int >= 0").Attr("dnormals: int >= 0").Attr("dnormals_float32: int >= 0")
    .Attr("rate: float").Attr("stream: int").Attr("branched: bool")
    .SetShapeFn(anyShape);

template <class T>
struct ResidualNormGradient : OpKernel {
  bool branched;
  Dropout dropout;
  explicit ResidualNormGradient(OpKernelConstruction* c) : OpKernel(c), dropout(c) {
    OP_REQUIRES_OK(c, c->GetAttr("branched", &branched));
  }
  void Compute(OpKernelContext* context) override {
    OpInputList dsums, dnormals, dnormals32;
    OP_REQUIRES_OK(context, context->input_list("dsum", &dsums));
    OP_REQUIRES_OK(context, context->input_list("dnormal", &dnormals));
    OP_REQUIRES_OK(context, context->input_list("dnormal_float32", &dnormals32));
    const Tensor &x = context->input(0), &seed = context->input(context->num_inputs() - 1);
    OP_REQUIRES(context, isMatrix(x), errors::InvalidArgument("gradient of residual norm: expected sum [N, C]"));
    const int64_t rows = x.dim_size(0), C = x.dim_size(1);
    OP_REQUIRES(context, has(context->input(1), 2 * rows) && has(context->input(2), C) && has(seed, 1) &&
                             fits(dsums, rows * C) && fits(dnormals, rows * C) && fits(dnormals32, rows * C),
                errors::InvalidArgument("gradient of residual norm: expected statistics [N, 2], gain [C], one seed and gradients [N, C]"));
    const Philox philox = dropout.philox(seed);
    Tensor *dxs, *dbranches, *dgains, *dbiases;
    OP_REQUIRES_OK(context, context->allocate_output(0, x.shape(), &dxs));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({branched ? rows : 0, C}), &dbranches));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({C}), &dgains));
    OP_REQUIRES_OK(context, context->allocate_output(3, TensorShape({C}), &dbiases));
    const float *from = data<float>(x), *statistic = data<float>(context->input(1)), *gain = data<float>(context->input(2));
    const float* dsum = dsums.size() ? data<float>(dsums[0]) : nullptr;
    const T* dnormal = dnormals.size() ? data<T>(dnormals[0]) : nullptr;
    const float* dnormal32 = dnormals32.size() ? data<float>(dnormals32[0]) : nullptr;
    float* dx = data<float>(dxs);
    T* dbranch = data<T>(dbranches);
    std::vector<float> both(2 * C);
    sumOverRows(context, rows, 2 * C, C * (dropout.rate > 0 ? 5 : 3), both.data(), [&](int64_t i, float* sums) {
      const float mean = statistic[2 * i], inverse = statistic[2 * i + 1];
      const float* row = from + i * C;
      float* out = dx + i * C;
      Floats total{}, turned{};
      each(C, [&](int64_t j, auto k) {
        Floats dy{};
        if (dnormal) dy += load(dnormal + i * C + j, k);
        if (dnormal32) dy += load(dnormal32 + i * C + j, k);
        const Floats normal = (load(row + j, k) - mean) * inverse;
        store(sums + j, load(sums + j, k) + dy * normal, k);
        store(sums + C + j, load(sums + C + j, k) + dy, k);
        const Floats d = dy * load(gain + j, k);
        store(out + j, d, k);
        total += d;
        turned += d * normal;
      });
      // With d = dy gain: (d - mean d - normal mean(d normal)) / std.
      const float meanOf = sum(total) / C, meanTurned = sum(turned) / C;
      std::vector<float> room(branched && dropout.rate > 0 ? C + 80 : 0);
      const float* keep = room.empty() ? nullptr : philox.factors(i * C, C, room.data());
      each(C, [&](int64_t j, auto k) {
        const Floats normal = (load(row + j, k) - mean) * inverse;
        Floats d = (load(out + j, k) - meanOf - normal * meanTurned) * inverse;
        if (dsum) d += load(dsum + i * C + j, k);
        store(out + j, d, k);
        if (branched) store(dbranch + i * C + j, keep ? d * load(keep + j, k) : d, k);
      });
    });
    std::copy(both.begin(), both.begin() + C, data<float>(dgains));
    std::copy(both.begin() + C, both.end(), data<float>(dbiases));
  }
};
REGISTER_FOR_BOTH("FusedResidualNormGradient", ResidualNormGradient);

// ---- Activations and dropout --------------------------------------------------------------------------------------------

// dropout(f(x)): "gelu" is x sigmoid(sqrt(8/pi) (x + 0.044715 x^3)), "relu" max(x, 0), "none" x.
REGISTER_OP("FusedActivation")
    .Input("x: T").Input("seed: int32").Output("y: T")
    .Attr("T: {float, bfloat16}").Attr("kind: {'gelu', 'relu', 'none'}").Attr("rate: float").Attr("stream: int")
    .SetShapeFn(sameShape);
// `saved` is x for gelu, y for relu (0 where dropout took it) and is not read for none.
REGISTER_OP("FusedActivationGradient")
    .Input("dy: T").Input("saved: T").Input("seed: int32").Output("dx: T")
    .Attr("T: {float, bfloat16}").Attr("kind: {'gelu', 'relu', 'none'}").Attr("rate: float").Attr("stream: int")
    .SetShapeFn(sameShape);

constexpr float GELU_SLOPE = 1.5957691216f, GELU_CUBE = 0.044715f;

struct ActivationKind : OpKernel {
  std::string kind;
  Dropout dropout;
  explicit ActivationKind(OpKernelConstruction* c) : OpKernel(c), dropout(c) {
    OP_REQUIRES_OK(c, c->GetAttr("kind", &kind));
  }
};

template <class T>
struct Activation : ActivationKind {
  using ActivationKind::ActivationKind;
  void Compute(OpKernelContext* context) override {
    const Tensor& in = context->input(0);
    OP_REQUIRES(context, has(context->input(1), 1), errors::InvalidArgument("activation: expected one seed"));
    Tensor* out;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, in.shape(), &out));
    const T* x = data<T>(in);
    T* y = data<T>(out);
    const bool gelu = kind == "gelu", relu = kind == "relu";
    withFactors(context, dropout, context->input(1), in.NumElements(), [=](int64_t from, int64_t to, const float* keep) {
      each(to - from, [=](int64_t i, auto k) {
        Floats v = load(x + from + i, k);
        if (gelu) v *= sigmoid(GELU_SLOPE * v * (1 + GELU_CUBE * v * v));
        if (relu) v = v < Floats{} ? Floats{} : v;
        store(y + from + i, keep ? v * load(keep + i, k) : v, k);
      });
    });
  }
};
REGISTER_FOR_BOTH("FusedActivation", Activation);

template <class T>
struct ActivationGradient : ActivationKind {
  using ActivationKind::ActivationKind;
  void Compute(OpKernelContext* context) override {
    const Tensor &above = context->input(0), &saved = context->input(1);
    OP_REQUIRES(context, (has(saved, above.NumElements()) || kind == "none") && has(context->input(2), 1),
                errors::InvalidArgument("gradient of activation: expected dy and what is saved of one size, and one seed"));
    Tensor* out;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, above.shape(), &out));
    const T *dy = data<T>(above), *x = data<T>(saved);
    T* dx = data<T>(out);
    const bool gelu = kind == "gelu", relu = kind == "relu";
    // For relu what dropout took is 0 in y, as what was below 0: no number need be drawn again.
    Dropout drawn = dropout;
    if (relu) drawn.rate = 0;
    const float kept = 1 / (1 - dropout.rate);
    withFactors(context, drawn, context->input(2), above.NumElements(), [=](int64_t from, int64_t to, const float* keep) {
      each(to - from, [=](int64_t i, auto k) {
        Floats d = load(dy + from + i, k);
        if (gelu) {
          const Floats v = load(x + from + i, k), square = v * v, s = sigmoid(GELU_SLOPE * v * (1 + GELU_CUBE * square));
          d *= s + v * s * (1 - s) * GELU_SLOPE * (1 + 3 * GELU_CUBE * square);
        }
        if (relu) d = load(x + from + i, k) > Floats{} ? d * kept : d - d;  // 0, of NaN and infinity NaN.
        store(dx + from + i, keep ? d * load(keep + i, k) : d, k);
      });
    });
  }
};
REGISTER_FOR_BOTH("FusedActivationGradient", ActivationGradient);

// ---- Sums ------------------------------------------------------------------------------------------------------------

// Sum over rows, the gradient of a bias. x [N, n] -> [n].
REGISTER_OP("FusedSumRows").Input("x: T").Output("sums: float").Attr("T: {float, bfloat16}").SetShapeFn([](InferenceContext* c) {
  c->set_output(0, c->Vector(c->Dim(c->input(0), 1)));
  return absl::OkStatus();
});

template <class T>
struct SumRows : OpKernel {
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& x = context->input(0);
    OP_REQUIRES(context, isMatrix(x), errors::InvalidArgument("sum over rows: expected x [N, n]"));
    const int64_t n = x.dim_size(1);
    Tensor* sums;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({n}), &sums));
    const T* from = data<T>(x);
    sumOverRows(context, x.dim_size(0), n, n / 4 + 1, data<float>(sums),
                [=](int64_t i, float* out) { addTo(out, from + i * n, n); });
  }
};
REGISTER_FOR_BOTH("FusedSumRows", SumRows);

// Sum of squares of all elements of all tensors.
REGISTER_OP("FusedSumSquares").Input("x: count * T").Output("sum: float").Attr("T: {float, bfloat16}").Attr("count: int >= 1")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Scalar());
      return absl::OkStatus();
    });

// A piece of one of several tensors.
struct Piece {
  int tensor;
  int64_t from, to;
};
constexpr int64_t PIECE = 1 << 15;

template <class List>
std::vector<Piece> piecesOf(List& tensors, int count) {
  std::vector<Piece> pieces;
  for (int t = 0; t < count; t++)
    for (int64_t n = tensors[t].NumElements(), from = 0; from < n; from += PIECE)
      pieces.push_back({t, from, std::min(n, from + PIECE)});
  return pieces;
}

template <class T>
struct SumSquares : OpKernel {
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    OpInputList tensors;
    OP_REQUIRES_OK(context, context->input_list("x", &tensors));
    const std::vector<Piece> pieces = piecesOf(tensors, tensors.size());
    std::vector<double> sums(pieces.size());
    parallel(context, pieces.size(), PIECE / 4, [&](int64_t from, int64_t to) {
      for (int64_t p = from; p < to; p++) {
        const T* x = data<T>(tensors[pieces[p].tensor]) + pieces[p].from;
        Floats total{};
        each(pieces[p].to - pieces[p].from, [&](int64_t i, auto k) {
          const Floats v = load(x + i, k);
          total += v * v;
        });
        sums[p] = sum(total);
      }
    });
    Tensor* out;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({}), &out));
    out->scalar<float>()() = std::accumulate(sums.begin(), sums.end(), 0.0);
  }
};
REGISTER_FOR_BOTH("FusedSumSquares", SumSquares);

// base + the rows of x, each at its index, rounded once; rows may repeat. Without a base: of zeros. x [k, C] -> [rows, C].
REGISTER_OP("FusedScatterRows")
    .Input("base: bases * T").Input("x: float").Input("index: int32").Output("y: T")
    .Attr("T: {float, bfloat16}").Attr("bases: int >= 0").Attr("rows: int >= 0").SetShapeFn([](InferenceContext* c) {
      int64_t rows;
      TF_RETURN_IF_ERROR(c->GetAttr("rows", &rows));
      c->set_output(0, c->Matrix(c->MakeDim(rows), c->Dim(c->input(c->num_inputs() - 2), 1)));
      return absl::OkStatus();
    });

template <class T>
struct ScatterRows : OpKernel {
  int64_t rows;
  explicit ScatterRows(OpKernelConstruction* c) : OpKernel(c) { OP_REQUIRES_OK(c, c->GetAttr("rows", &rows)); }
  void Compute(OpKernelContext* context) override {
    OpInputList bases;
    OP_REQUIRES_OK(context, context->input_list("base", &bases));
    const Tensor &x = context->input(bases.size()), &indices = context->input(bases.size() + 1);
    OP_REQUIRES(context, isMatrix(x) && has(indices, x.dim_size(0)), errors::InvalidArgument("scatter: expected x [k, C] and one index a row"));
    const int64_t n = x.dim_size(0), C = x.dim_size(1);
    const int32* index = data<int32>(indices);
    for (int64_t i = 0; i < n; i++)
      OP_REQUIRES(context, index[i] >= 0 && index[i] < rows,
                  errors::InvalidArgument("scatter: expected rows from 0 to ", rows - 1, "; got ", index[i]));
    Tensor* out;
    const TensorShape shape({rows, C});
    if (bases.size()) {
      OP_REQUIRES(context, bases[0].shape() == shape, errors::InvalidArgument("scatter: expected a base of the result's shape"));
      OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, shape, &out));
      if (out->data() != bases[0].data()) memcpy(out->data(), bases[0].data(), rows * C * sizeof(T));
    } else {
      OP_REQUIRES_OK(context, context->allocate_output(0, shape, &out));
      memset(out->data(), 0, rows * C * sizeof(T));
    }
    // In the order of rows, and of tokens within a row; `firsts` are where a new row begins.
    std::vector<int32> order(n), firsts;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [=](int32 a, int32 b) { return index[a] < index[b]; });
    for (int64_t i = 0; i < n; i++)
      if (i == 0 || index[order[i]] != index[order[i - 1]]) firsts.push_back(i);
    firsts.push_back(n);
    const float* from = data<float>(x);
    T* to = data<T>(out);
    parallel(context, firsts.size() - 1, C * n / firsts.size() / 2, [&](int64_t first, int64_t last) {
      for (int64_t f = first; f < last; f++) {
        T* row = to + int64_t{index[order[firsts[f]]]} * C;
        each(C, [&](int64_t j, auto k) {
          Floats total{};
          for (int32 i = firsts[f]; i < firsts[f + 1]; i++) total += load(from + order[i] * C + j, k);
          store(row + j, load(row + j, k) + total, k);
        });
      }
    });
  }
};
REGISTER_FOR_BOTH("FusedScatterRows", ScatterRows);

// ---- Attention ---------------------------------------------------------------------------------------------------------

// An element of the right operand of a matrix product; of bfloat16 a pair along the sum, as the processor's own op takes them.
template <class T>
struct Right;
template <>
struct Right<float> {
  using Element = float;
  static constexpr int64_t STEP = 1;
};
template <>
struct Right<bfloat16> {
  using Element = uint32_t;
  static constexpr int64_t STEP = 2;
};

// Right operand [k, n] in panels of 64 columns, each row by row: what a product reads in turn is close together.
template <class T>
struct Panels {
  using Element = typename Right<T>::Element;
  static constexpr int64_t STEP = Right<T>::STEP, WIDTH = 64;
  int64_t rows, columns;
  std::vector<Element> elements;

  Panels(int64_t k, int64_t n) : rows(k / STEP), columns(n), elements(rows * n) {}
  static int64_t width(int64_t panel, int64_t columns) { return std::min(WIDTH, columns - panel); }
  int64_t width(int64_t panel) const { return width(panel, columns); }
  // Of the panel that begins at column `panel`, from row `k` of the matrix on.
  const Element* at(int64_t k, int64_t panel) const { return &elements[panel * rows + k / STEP * width(panel)]; }

  // From rows [n, k]: their transpose.
  static Panels transposed(const std::vector<T>& x, int64_t n, int64_t k) {
    Panels out(k, n);
    for (int64_t i = 0; i < n; i++) {
      const int64_t panel = i / WIDTH * WIDTH;
      Element* to = &out.elements[panel * out.rows + i - panel];
      for (int64_t l = 0; l < out.rows; l++) memcpy(to + l * out.width(panel), &x[i * k + l * STEP], sizeof(Element));
    }
    return out;
  }
  // From rows [k, n], `ld` apart.
  void pack(const float* x, int64_t ld) {
    for (int64_t panel = 0; panel < columns; panel += WIDTH)
      for (int64_t l = 0; l < rows; l++)
        memcpy(&elements[panel * rows + l * width(panel)], x + l * ld + panel, width(panel) * sizeof(float));
  }
  void pack(const bfloat16* x, int64_t ld) {
    const auto* bits = reinterpret_cast<const uint16_t*>(x);
    for (int64_t panel = 0; panel < columns; panel += WIDTH)
      for (int64_t l = 0; l < rows; l++) {
        const uint16_t *low = bits + 2 * l * ld + panel, *high = low + ld;
        Element* to = &elements[panel * rows + l * width(panel)];
        for (int64_t j = 0; j < width(panel); j++) to[j] = low[j] | uint32_t(high[j]) << 16;
      }
  }
  static Panels packed(const std::vector<T>& x, int64_t k, int64_t n) {
    Panels out(k, n);
    out.pack(x.data(), n);
    return out;
  }
};

inline Floats multiplyAdd(Floats sum, const float* a, Floats b) { return sum + *a * b; }
inline Floats multiplyAdd(Floats sum, const bfloat16* a, Floats b) {
  uint32_t pair;
  memcpy(&pair, a, sizeof pair);
#ifdef __AVX512BF16__
  return _mm512_dpbf16_ps(sum, (__m512bh)(Words{} + pair), (__m512bh)b);
#else
  const Words both = (Words)b;
  const Words low = Words{} + (pair << 16), high = Words{} + (pair & 0xffff0000);
  return sum + (Floats)low * (Floats)(both << 16) + (Floats)high * (Floats)(both & 0xffff0000);
#endif
}

// c [ROWS, 16 COLUMNS] += a b, all in registers.
template <int ROWS, int COLUMNS, class T>
inline void multiplyTile(const T* a, int64_t lda, const typename Right<T>::Element* b, int64_t ldb, float* c, int64_t ldc, int64_t k) {
  Floats sums[ROWS][COLUMNS];
#pragma GCC unroll 6
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int j = 0; j < COLUMNS; j++) sums[i][j] = load(c + i * ldc + j * LANES);
  for (int64_t l = 0; l < k; l += Right<T>::STEP, b += ldb) {
    Floats right[COLUMNS];
#pragma GCC unroll 4
    for (int j = 0; j < COLUMNS; j++) memcpy(&right[j], b + j * LANES, sizeof right[j]);
#pragma GCC unroll 6
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
      for (int j = 0; j < COLUMNS; j++) sums[i][j] = multiplyAdd(sums[i][j], a + i * lda + l, right[j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int j = 0; j < COLUMNS; j++) store(c + i * ldc + j * LANES, sums[i][j]);
}
template <int COLUMNS, class T>
inline void multiplyColumns(const T* a, int64_t lda, const typename Right<T>::Element* b, int64_t ldb, float* c, int64_t ldc, int64_t m, int64_t k) {
  int64_t i = 0;
  for (; i + 6 <= m; i += 6) multiplyTile<6, COLUMNS>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, k);
  for (; i + 2 <= m; i += 2) multiplyTile<2, COLUMNS>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, k);
  for (; i < m; i++) multiplyTile<1, COLUMNS>(a + i * lda, lda, b, ldb, c + i * ldc, ldc, k);
}
template <class T>
inline void multiplyVectors(const T* a, int64_t lda, const typename Right<T>::Element* b, int64_t ldb, float* c, int64_t ldc, int64_t m, int64_t n, int64_t k) {
  int64_t j = 0;
  for (; j + 4 * LANES <= n; j += 4 * LANES) multiplyColumns<4>(a, lda, b + j, ldb, c + j, ldc, m, k);
  for (; j + 2 * LANES <= n; j += 2 * LANES) multiplyColumns<2>(a, lda, b + j, ldb, c + j, ldc, m, k);
  for (; j < n; j += LANES) multiplyColumns<1>(a, lda, b + j, ldb, c + j, ldc, m, k);
}

#ifdef __AMX_BF16__
// Linux gives a process the tile registers when it asks: ARCH_REQ_XCOMP_PERM for XTILEDATA.
inline bool hasTiles() {
  static const bool granted = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  return granted;
}
// The same by tile registers: m and n / 2 in sixteens, k in thirty-twos.
inline void multiplyTiles(const bfloat16* a, int64_t lda, const uint32_t* b, int64_t ldb, float* c, int64_t ldc, int64_t m, int64_t n, int64_t k) {
  const struct {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16};
  } shapes;
  // Trap: GCC 12 does not know that tile loads read memory: without this it may write shapes and operands after them.
  asm volatile("" ::"r"(&shapes) : "memory");
  _tile_loadconfig(&shapes);
  for (int64_t j = 0; j < n; j += 32)
    for (int64_t i = 0; i < m; i += 16) {
      float* to = c + i * ldc + j;
      _tile_loadd(0, to, ldc * 4);
      _tile_loadd(1, to + 16, ldc * 4);
      for (int64_t l = 0; l < k; l += 32) {
        _tile_loadd(2, a + i * lda + l, lda * 2);
        _tile_loadd(3, b + l / 2 * ldb + j, ldb * 4);
        _tile_loadd(4, b + l / 2 * ldb + j + 16, ldb * 4);
        _tile_dpbf16ps(0, 2, 3);
        _tile_dpbf16ps(1, 2, 4);
      }
      _tile_stored(0, to, ldc * 4);
      _tile_stored(1, to + 16, ldc * 4);
    }
  _tile_release();
}
#endif

// c [m, n] += a [m, k] b, with b rows `row` to row + k and columns `column` to column + n: a multiple of a panel, whole vectors.
template <class T>
void multiply(const T* a, int64_t lda, const Panels<T>& b, int64_t row, int64_t column, float* c, int64_t ldc, int64_t m, int64_t n, int64_t k) {
  for (int64_t panel = column; panel < column + n; panel += Panels<T>::WIDTH) {
    const int64_t ldb = b.width(panel), width = std::min(ldb, column + n - panel);
    const auto* right = b.at(row, panel);
    float* to = c + panel - column;
    int64_t rows = 0, columns = 0, depth = 0;  // Part done by tile registers.
#ifdef __AMX_BF16__
    if constexpr (std::is_same_v<T, bfloat16>)
      if (m >= 16 && width >= 32 && k >= 32 && hasTiles()) {
        rows = m / 16 * 16, columns = width / 32 * 32, depth = k / 32 * 32;
        multiplyTiles(a, lda, right, ldb, to, ldc, rows, columns, depth);
      }
#endif
    if (depth < k) multiplyVectors(a + depth, lda, right + depth / Right<T>::STEP * ldb, ldb, to, ldc, rows, columns, k - depth);
    multiplyVectors(a + rows * lda, lda, right, ldb, to + rows * ldc, ldc, m - rows, columns, k);
    multiplyVectors(a, lda, right + columns, ldb, to + columns, ldc, m, width - columns, k);
  }
}

// softmax(q k^T / sqrt(d)) v for every line and head (Vaswani et al. 2017, eq. 1), each token seeing itself and those
// before it in its line, with dropout on the weights. Line b is rows starts[b] to starts[b + 1]; qkv [N, 3C] are queries,
// keys and values next to each other. logsum [N, H] is log sum exp of the scores, from which the gradient gets the weights.
// The dropout factor of the weight of query i and key j is number ((b H + h) T + i) T + j, with T the longest line.
REGISTER_OP("FusedAttention")
    .Input("qkv: T").Input("starts: int32").Input("seed: int32").Output("y: T").Output("logsum: float")
    .Attr("T: {float, bfloat16}").Attr("heads: int >= 1").Attr("rate: float").Attr("stream: int").SetShapeFn(anyShape);
REGISTER_OP("FusedAttentionGradient")
    .Input("dy: T").Input("qkv: T").Input("y: T").Input("logsum: float").Input("starts: int32").Input("seed: int32").Output("dqkv: T")
    .Attr("T: {float, bfloat16}").Attr("heads: int >= 1").Attr("rate: float").Attr("stream: int").SetShapeFn(anyShape);

template <class T>
struct AttentionBase : OpKernel {
  static constexpr int64_t QUERIES = 48, KEYS = 48, COLUMNS = 256;
  int64_t heads;
  Dropout dropout;
  explicit AttentionBase(OpKernelConstruction* c) : OpKernel(c), dropout(c) { OP_REQUIRES_OK(c, c->GetAttr("heads", &heads)); }

  // One head of one line: n tokens from row `start` on, d numbers each.
  struct Head {
    int64_t line, head, start, n, d, D, P, C;
  };

  // body(head, longest) for each head of each line, on threads.
  template <class Body>
  void eachHead(OpKernelContext* context, const Tensor& qkv, const Tensor& starts, int64_t passes, Body body) {
    const int64_t N = qkv.dim_size(0), C = qkv.dim_size(1) / 3, d = C / heads, lines = starts.NumElements() - 1;
    OP_REQUIRES(context, C * 3 == qkv.dim_size(1) && d * heads == C,
                errors::InvalidArgument("attention: expected 3 x ", heads, " heads of one width; got ", qkv.dim_size(1), " columns"));
    const int32* start = data<int32>(starts);
    int64_t longest = 0;
    for (int64_t b = 0; b < lines; b++) longest = std::max<int64_t>(longest, start[b + 1] - start[b]);
    bool inOrder = lines >= 0 && start[0] == 0 && start[lines] == N;
    for (int64_t b = 0; b < lines; b++) inOrder = inOrder && start[b] <= start[b + 1];
    OP_REQUIRES(context, inOrder, errors::InvalidArgument("attention: expected starts of lines from 0 to ", N, ", in order"));
    parallel(context, lines * heads, passes * (longest + 8) * (longest + 64) * d / 16, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; i++) {
        const int64_t b = i / heads, n = start[b + 1] - start[b];
        if (n) body(Head{b, i % heads, start[b], n, d, padded(d), padded(n), C}, longest);
      }
    });
  }

  // The head's columns of x as rows [P, D], zeros at the edges.
  static std::vector<T> gather(const T* x, int64_t ld, int64_t column, const Head& h) {
    std::vector<T> rows(h.P * h.D, T(0));
    for (int64_t i = 0; i < h.n; i++) memcpy(&rows[i * h.D], x + (h.start + i) * ld + column + h.head * h.d, h.d * sizeof(T));
    return rows;
  }
};

template <class T>
struct Attention : AttentionBase<T> {
  using Base = AttentionBase<T>;
  using typename Base::Head;
  using Base::Base;
  void Compute(OpKernelContext* context) override {
    const Tensor &qkvs = context->input(0), &starts = context->input(1);
    OP_REQUIRES(context, isMatrix(qkvs) && has(context->input(2), 1), errors::InvalidArgument("attention: expected qkv [N, 3C] and one seed"));
    const int64_t N = qkvs.dim_size(0), C = qkvs.dim_size(1) / 3, H = this->heads;
    Tensor *ys, *logsums;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({N, C}), &ys));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({N, H}), &logsums));
    const T* qkv = data<T>(qkvs);
    T* y = data<T>(ys);
    float* logsum = data<float>(logsums);
    const Philox philox = this->dropout.philox(context->input(2));
    const bool drops = this->dropout.rate > 0;
    this->eachHead(context, qkvs, starts, 1, [&](const Head& h, int64_t longest) {
      const std::vector<T> q = Base::gather(qkv, 3 * C, 0, h);
      const auto k = Panels<T>::transposed(Base::gather(qkv, 3 * C, C, h), h.P, h.D);
      const auto v = Panels<T>::packed(Base::gather(qkv, 3 * C, 2 * C, h), h.P, h.D);
      const float scale = 1 / std::sqrt(float(h.d));
      std::vector<float> scores(Base::QUERIES * h.P), out(Base::QUERIES * h.D), room(drops ? h.P + 80 : 0);
      std::vector<T> weights(Base::QUERIES * h.P);
      for (int64_t first = 0; first < h.n; first += Base::QUERIES) {
        const int64_t rows = std::min(Base::QUERIES, h.n - first), keys = padded(first + rows);
        std::fill(scores.begin(), scores.end(), 0.f);
        std::fill(out.begin(), out.end(), 0.f);
        multiply(&q[first * h.D], h.D, k, 0, 0, scores.data(), h.P, rows, keys, h.D);
        float inverse[Base::QUERIES];
        for (int64_t r = 0; r < rows; r++) {
          const int64_t i = first + r, seen = i + 1;
          const float* s = &scores[r * h.P];
          T* w = &weights[r * h.P];
          const float* keep =
              drops ? philox.factors(((h.line * H + h.head) * longest + i) * longest, seen, room.data()) : nullptr;
          Floats most = all(-INFINITY), total{};
          each(seen, [&](int64_t j, auto n) { most = larger(most, load(s + j, n, -INFINITY)); });
          const float top = largest(most);
          each(seen, [&](int64_t j, auto n) {
            Floats e = exponential((load(s + j, n, -INFINITY) - top) * scale);
            if (n < LANES) e = INDEX < Ints{} + int32_t(n) ? e : Floats{};
            total += e;
            store(w + j, keep ? e * load(keep + j, n) : e);
          });
          std::fill(w + padded(seen), w + keys, T(0));
          const float all = sum(total);
          inverse[r] = 1 / all;
          logsum[(h.start + i) * H + h.head] = top * scale + std::log(all);
        }
        multiply(weights.data(), h.P, v, 0, 0, out.data(), h.D, rows, h.D, keys);
        for (int64_t r = 0; r < rows; r++)
          each(h.d, [&](int64_t c, auto n) {
            store(y + (h.start + first + r) * C + h.head * h.d + c, load(&out[r * h.D + c], n) * inverse[r], n);
          });
      }
    });
  }
};
REGISTER_FOR_BOTH("FusedAttention", Attention);

// With p the weights, dp = dy v^T and ds = p (dp - y dy) / sqrt(d): dq = ds k, dk = ds^T q, dv = p^T dy. The weights are
// computed again, transposed, for blocks of keys and columns of queries: rows of p^T and ds^T are then left operands as they are.
template <class T>
struct AttentionGradient : AttentionBase<T> {
  using Base = AttentionBase<T>;
  using typename Base::Head;
  using Base::Base;
  void Compute(OpKernelContext* context) override {
    const Tensor &dys = context->input(0), &qkvs = context->input(1), &ys = context->input(2), &starts = context->input(4);
    OP_REQUIRES(context, isMatrix(qkvs) && has(context->input(5), 1),
                errors::InvalidArgument("gradient of attention: expected qkv [N, 3C] and one seed"));
    const int64_t N = qkvs.dim_size(0), C = qkvs.dim_size(1) / 3, H = this->heads;
    OP_REQUIRES(context, has(dys, N * C) && has(ys, N * C) && has(context->input(3), N * H),
                errors::InvalidArgument("gradient of attention: expected dy and y [N, C] and logsum [N, H]"));
    Tensor* dqkvs;
    OP_REQUIRES_OK(context, context->allocate_output(0, qkvs.shape(), &dqkvs));
    const T *dy = data<T>(dys), *qkv = data<T>(qkvs), *y = data<T>(ys);
    const float* logsum = data<float>(context->input(3));
    T* dqkv = data<T>(dqkvs);
    const Philox philox = this->dropout.philox(context->input(5));
    const bool drops = this->dropout.rate > 0;
    this->eachHead(context, qkvs, starts, 3, [&](const Head& h, int64_t longest) {
      const int64_t D = h.D, P = h.P;
      const int64_t KEYS = std::min(Base::KEYS, (h.n + 1) / 2 * 2), COLUMNS = std::min(Base::COLUMNS, P);
      const float scale = 1 / std::sqrt(float(h.d));
      const std::vector<T> q = Base::gather(qkv, 3 * C, 0, h), k = Base::gather(qkv, 3 * C, C, h), v = Base::gather(qkv, 3 * C, 2 * C, h);
      const std::vector<T> dout = Base::gather(dy, C, 0, h), out = Base::gather(y, C, 0, h);
      const auto qRight = Panels<T>::transposed(q, P, D), doutRight = Panels<T>::transposed(dout, P, D);
      const auto qRows = Panels<T>::packed(q, P, D), doutRows = Panels<T>::packed(dout, P, D);
      std::vector<T> kTransposed(D * P);
      for (int64_t j = 0; j < P; j++)
        for (int64_t c = 0; c < D; c++) kTransposed[c * P + j] = k[j * D + c];
      std::vector<float> logs(P, INFINITY), inner(P, 0.f);
      for (int64_t i = 0; i < h.n; i++) {
        logs[i] = logsum[(h.start + i) * H + h.head];
        Floats total{};
        for (int64_t c = 0; c < D; c += LANES) total += load(&dout[i * D + c]) * load(&out[i * D + c]);
        inner[i] = sum(total);
      }
      std::vector<float> dqTransposed(D * P, 0.f), dk(KEYS * D), dv(KEYS * D);
      std::vector<float> s(KEYS * COLUMNS), dp(KEYS * COLUMNS), keep(drops ? KEYS * COLUMNS : 0), room(drops ? KEYS + 80 : 0);
      std::vector<T> p(KEYS * COLUMNS), ds(KEYS * COLUMNS);
      Panels<T> dsRight(KEYS, COLUMNS);
      for (int64_t j0 = 0; j0 < h.n; j0 += KEYS) {
        const int64_t keys = std::min(KEYS, h.n - j0), pairs = (keys + 1) / 2 * 2;
        std::fill(dk.begin(), dk.end(), 0.f);
        std::fill(dv.begin(), dv.end(), 0.f);
        for (int64_t i0 = j0 / Panels<T>::WIDTH * Panels<T>::WIDTH; i0 < P; i0 += COLUMNS) {
          const int64_t n = std::min(COLUMNS, P - i0);
          std::fill(s.begin(), s.end(), 0.f);
          std::fill(dp.begin(), dp.end(), 0.f);
          multiply(&k[j0 * D], D, qRight, 0, i0, s.data(), COLUMNS, keys, n, D);
          multiply(&v[j0 * D], D, doutRight, 0, i0, dp.data(), COLUMNS, keys, n, D);
          for (int64_t i = 0; drops && i < std::min(n, h.n - i0); i++) {
            const float* row = philox.factors(((h.line * H + h.head) * longest + i0 + i) * longest + j0, keys, room.data());
            for (int64_t j = 0; j < keys; j++) keep[j * COLUMNS + i] = row[j];
          }
          for (int64_t j = 0; j < keys; j++)
            for (int64_t i = 0; i < n; i += LANES) {
              const int64_t at = j * COLUMNS + i;
              const Ints query = INDEX + int32_t(i0 + i);
              const Ints sees = (query >= int32_t(j0 + j)) & (query < int32_t(h.n));
              const Floats w = sees ? exponential(load(&s[at]) * scale - load(&logs[i0 + i])) : Floats{};
              const Floats factor = drops ? load(&keep[at]) : all(1);
              store(&p[at], sees ? w * factor : Floats{});
              store(&ds[at], sees ? w * (load(&dp[at]) * factor - load(&inner[i0 + i])) * scale : Floats{});
            }
          if (pairs > keys) std::fill(ds.data() + keys * COLUMNS, ds.data() + pairs * COLUMNS, T(0));
          dsRight.pack(ds.data(), COLUMNS);
          multiply(p.data(), COLUMNS, doutRows, i0, 0, dv.data(), D, keys, D, n);
          multiply(ds.data(), COLUMNS, qRows, i0, 0, dk.data(), D, keys, D, n);
          multiply(&kTransposed[j0], P, dsRight, 0, 0, &dqTransposed[i0], P, D, n, pairs);
        }
        for (int64_t j = 0; j < keys; j++)
          each(h.d, [&](int64_t c, auto n) {
            T* row = dqkv + (h.start + j0 + j) * 3 * C + h.head * h.d + c;
            store(row + C, load(&dk[j * D + c], n), n);
            store(row + 2 * C, load(&dv[j * D + c], n), n);
          });
      }
      for (int64_t i = 0; i < h.n; i++)
        for (int64_t c = 0; c < h.d; c++) dqkv[(h.start + i) * 3 * C + h.head * h.d + c] = T(dqTransposed[c * P + i]);
    });
  }
};
REGISTER_FOR_BOTH("FusedAttentionGradient", AttentionGradient);

// ---- AdamW ---------------------------------------------------------------------------------------------------------------

// One update of a parameter group (Loshchilov & Hutter 2019, algorithm 2, with PyTorch's place of epsilon), in place:
// g = clip gradient, m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p = p - rate (decay p + m' / (sqrt(v') + epsilon)).
// numbers: rate, b1, b2, epsilon, decay, clip, 1 - b1^t, 1 - b2^t. `halves` are the bfloat16 copies that matrix products read:
// one a value, or none.
REGISTER_OP("FusedAdamW")
    .Input("values: count * resource").Input("m: count * resource").Input("v: count * resource")
    .Input("halves: copies * resource").Input("gradients: count * T").Input("numbers: float")
    .Attr("T: {float, bfloat16}").Attr("count: int >= 1").Attr("copies: int >= 0").SetIsStateful().SetShapeFn(anyShape);

template <class T>
struct AdamW : OpKernel {
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* context) override {
    OpInputList gradients;
    OP_REQUIRES_OK(context, context->input_list("gradients", &gradients));
    const int count = gradients.size(), copies = context->num_inputs() - 4 * count - 1;
    OP_REQUIRES(context, copies == 0 || copies == count, errors::InvalidArgument("AdamW: expected a copy of each value or of none"));
    OP_REQUIRES(context, has(context->input(context->num_inputs() - 1), 8), errors::InvalidArgument("AdamW: expected 8 numbers"));
    std::vector<core::RefCountPtr<Var>> variables(3 * count + copies);
    for (size_t i = 0; i < variables.size(); i++) {
      OP_REQUIRES_OK(context, LookupResource(context, HandleFromInput(context, i), &variables[i]));
      Tensor* t = variables[i]->tensor();
      const DataType dtype = i < size_t(3 * count) ? DT_FLOAT : DT_BFLOAT16;
      OP_REQUIRES(context, t->dtype() == dtype,
                  errors::InvalidArgument("AdamW: expected a variable of ", DataTypeString(dtype), "; got ", DataTypeString(t->dtype())));
      OP_REQUIRES(context, has(*t, gradients[i % count].NumElements()),
                  errors::InvalidArgument("AdamW: expected ", t->NumElements(), " gradients; got ", gradients[i % count].NumElements()));
      // A reader that still holds the tensor keeps what it read.
      if (t->RefCountIsOne()) continue;
      Tensor fresh;
      OP_REQUIRES_OK(context, context->allocate_temp(t->dtype(), t->shape(), &fresh));
      memcpy(fresh.data(), t->data(), t->TotalBytes());
      *t = fresh;
    }
    const float* numbers = data<float>(context->input(context->num_inputs() - 1));
    const float b1 = numbers[1], b2 = numbers[2], epsilon = numbers[3], clip = numbers[5];
    const float shrink = 1 - numbers[0] * numbers[4], step = numbers[0] / numbers[6], root = 1 / std::sqrt(numbers[7]);
    const std::vector<Piece> pieces = piecesOf(gradients, count);
    parallel(context, pieces.size(), PIECE * 2, [&](int64_t first, int64_t last) {
      for (int64_t n = first; n < last; n++) {
        const auto [t, from, to] = pieces[n];
        const T* g = data<T>(gradients[t]) + from;
        float* p = data<float>(variables[t]->tensor()) + from;
        float* m = data<float>(variables[count + t]->tensor()) + from;
        float* v = data<float>(variables[2 * count + t]->tensor()) + from;
        bfloat16* copy = copies ? data<bfloat16>(variables[3 * count + t]->tensor()) + from : nullptr;
        each(to - from, [&](int64_t i, auto k) {
          const Floats gradient = load(g + i, k) * clip;
          const Floats mean = load(m + i, k) * b1 + gradient * (1 - b1);
          const Floats square = load(v + i, k) * b2 + gradient * gradient * (1 - b2);
          const Floats value = load(p + i, k) * shrink - step * mean / (squareRoot(square) * root + epsilon);
          store(m + i, mean, k);
          store(v + i, square, k);
          store(p + i, value, k);
          if (copy) store(copy + i, value, k);
        });
      }
    });
  }
};
REGISTER_FOR_BOTH("FusedAdamW", AdamW);

}  // namespace
