// The streams of crier.v1.Admin. Its unary methods are admin_methods.h.
#ifndef CRIER_SERVER_ADMIN_ADMIN_STREAMS_H_
#define CRIER_SERVER_ADMIN_ADMIN_STREAMS_H_

#include "server/admin/admin_options.h"
#include "server/admin/event_hub.h"
#include "server/engine/engine.h"
#include "server/grpc/method_table.h"

namespace crier {

// WatchStats and WatchEvents. All outlive the table's use.
void AddAdminStreams(Engine* engine, const AdminOptions* options, EventHub* events,
                     MethodTable* methods);

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_ADMIN_STREAMS_H_
