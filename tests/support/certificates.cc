#include "tests/support/certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace crier::testing {
namespace {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;

void Check(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL does not make a certificate");
}

std::string Written(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<size_t>(size)};
}

X509Ptr Parsed(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return X509Ptr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Key ParsedKey(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

void AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  Check(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

Certificate MakeCertificate(const std::string& common_name, const std::string& alt_names,
                            const Certificate* issuer) {
  static long serial = 1;
  const Key key(EVP_EC_gen("P-256"));
  const X509Ptr certificate(X509_new());
  Check(key != nullptr && certificate != nullptr);
  X509* const made = certificate.get();
  const X509Ptr signer = issuer == nullptr ? nullptr : Parsed(issuer->certificate);
  const Key signers_key = issuer == nullptr ? nullptr : ParsedKey(issuer->key);

  X509_set_version(made, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
  X509_gmtime_adj(X509_getm_notBefore(made), -60);
  X509_gmtime_adj(X509_getm_notAfter(made), 24L * 3600);
  X509_set_pubkey(made, key.get());
  X509_NAME* name = X509_get_subject_name(made);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509* const by = issuer == nullptr ? made : signer.get();
  X509_set_issuer_name(made, X509_get_subject_name(by));
  AddExtension(made, by, NID_basic_constraints,
               issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (!alt_names.empty()) AddExtension(made, by, NID_subject_alt_name, alt_names.c_str());
  Check(X509_sign(made, issuer == nullptr ? key.get() : signers_key.get(), EVP_sha256()) > 0);

  const Bio pem(BIO_new(BIO_s_mem()));
  const Bio key_pem(BIO_new(BIO_s_mem()));
  Check(PEM_write_bio_X509(pem.get(), made) == 1 &&
        PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
            1);
  return {.certificate = Written(pem.get()), .key = Written(key_pem.get())};
}

ScratchFolder::ScratchFolder() {
  std::string path = std::filesystem::temp_directory_path() / "crier-test-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = path;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchFolder::Write(const std::string& name, const std::string& content) const {
  const std::string path = path_ + "/" + name;
  {
    std::ofstream file(path + ".new", std::ios::binary);
    file << content;
  }
  std::filesystem::rename(path + ".new", path);
  return path;
}

}  // namespace crier::testing
